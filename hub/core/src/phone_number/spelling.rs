//! The characters of a telephone number as people, web pages and spreadsheets write it. Knows no country.

use super::PhoneNumberError;

/// What begins an extension, behind the number.
const EXTENSIONS: [&str; 7] = ["ext", "x", "#", ",", ";", "分机", "转"];
/// How far the full-width forms of ASCII are from it (Unicode, Halfwidth and Fullwidth Forms).
const FULL_WIDTH: u32 = 0xFEE0;

/// A number without what only separates its digits.
#[derive(Default)]
pub(crate) struct Spelling {
    /// It begins with `+`.
    pub(crate) plus: bool,
    /// Its digits, in ASCII.
    pub(crate) digits: String,
    /// Where among the digits stands a zero that was written `(0)`.
    bracketed_zero: Option<usize>,
}

impl Spelling {
    /// Reads the characters.
    pub(crate) fn of(text: &str) -> Result<Self, PhoneNumberError> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        let mut read = Self::default();
        // ASCII alone, without spaces.
        let mut plain = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            match narrow(c) {
                digit @ '0'..='9' => {
                    if plain.ends_with('(') && digit == '0' {
                        read.bracketed_zero.get_or_insert(read.digits.len());
                    }
                    read.digits.push(digit);
                    plain.push(digit);
                }
                '+' if !read.plus && read.digits.is_empty() => read.plus = true,
                mark @ ('-' | '.' | '(' | ')' | '/') => plain.push(mark),
                c if is_space(c) || is_dash(c) || is_invisible(c) => {}
                _ => return Err(stray(text.get(at..).unwrap_or_default(), c, &read)),
            }
        }
        // More points than one separate digits, as in France and Belgium.
        let has_one_point = plain.matches('.').count() == 1;
        if has_one_point && (plain.ends_with(".0") || plain.ends_with(".00")) {
            return Err(PhoneNumberError::Decimal);
        }
        read.bracketed_zero = read.bracketed_zero.filter(|_| plain.contains("(0)"));
        Ok(read)
    }

    /// The digits without a zero that was written `(0)`; none where there is no such.
    pub(crate) fn without_bracketed_zero(&self) -> Option<String> {
        let mut digits = self.digits.clone();
        digits.remove(self.bracketed_zero?);
        Some(digits)
    }
}

/// Why a character that belongs to no number stands there.
fn stray(rest: &str, c: char, read: &Spelling) -> PhoneNumberError {
    let rest = rest.to_lowercase();
    let is_extension = EXTENSIONS.iter().any(|mark| rest.starts_with(mark));
    if is_extension && !read.digits.is_empty() {
        return PhoneNumberError::Extension;
    }
    PhoneNumberError::Character(c)
}

/// The ASCII character of which this is the full-width form, or the character itself.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - FULL_WIDTH).unwrap_or(c),
        _ => c,
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace() && !c.is_control()
}

/// Hyphens, dashes and the minus sign.
fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}')
}

/// Characters that are not seen: soft hyphen, marks of direction, joiners, byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
    )
}
