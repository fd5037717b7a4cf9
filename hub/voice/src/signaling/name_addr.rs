//! Addresses in SIP headers, read by grammar (RFC 3261 §20 and §25.1, RFC 3966): From, Contact, Record-Route and the headers
//! that say who calls. Text in, text out: knows neither the SIP library nor trunks.

use hub_core::number_plan::NumberPlan;
use hub_core::phone_number::PhoneNumber;

/// Why a header is not read. What stands in it then decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A quoted string without its second quote.
    #[error("a quoted string has no end")]
    Quote,
    /// `<` without `>`, or `<` within an address.
    #[error("an address in angle brackets has no end")]
    Bracket,
    /// No address.
    #[error("nothing stands where an address should")]
    Empty,
    /// Something that is neither address nor parameter.
    #[error("beside the address stands something that is no parameter")]
    Rest,
}

/// Where a reader of a header is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    Quoted,
    Escaped,
    Bracketed,
}

impl Place {
    fn after(self, c: char) -> Self {
        match (self, c) {
            (Place::Plain, '"') => Place::Quoted,
            (Place::Plain, '<') => Place::Bracketed,
            (Place::Quoted, '\\') => Place::Escaped,
            (Place::Quoted, '"') | (Place::Bracketed, '>') | (Place::Plain, _) => Place::Plain,
            (Place::Quoted | Place::Escaped, _) => Place::Quoted,
            (Place::Bracketed, _) => Place::Bracketed,
        }
    }

    fn end(self) -> Result<(), Malformed> {
        match self {
            Place::Plain => Ok(()),
            Place::Quoted | Place::Escaped => Err(Malformed::Quote),
            Place::Bracketed => Err(Malformed::Bracket),
        }
    }
}

/// Splits at `separator` outside quoted strings and angle brackets; empty pieces are left out.
fn split(value: &str, separator: char) -> Result<Vec<&str>, Malformed> {
    let mut pieces = Vec::new();
    let (mut place, mut start) = (Place::Plain, 0);
    for (at, c) in value.char_indices() {
        if place == Place::Plain && c == separator {
            pieces.push(value.get(start..at).unwrap_or_default());
            start = at + c.len_utf8();
        }
        place = place.after(c);
    }
    place.end()?;
    pieces.push(value.get(start..).unwrap_or_default());
    let trimmed = pieces.into_iter().map(str::trim);
    Ok(trimmed.filter(|piece| !piece.is_empty()).collect())
}

/// The elements of a header that is a list, such as Contact or P-Asserted-Identity.
pub fn elements(value: &str) -> Result<Vec<&str>, Malformed> {
    split(value, ',')
}

/// One element: `name-addr` or `addr-spec` with the header's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as it came, with its quotes. Says nothing about who it is.
    pub display: &'a str,
    /// The address.
    pub uri: &'a str,
    /// The header's own parameters, from their first `;` on; empty if there is none.
    pub params: &'a str,
    /// Whether the address stood in angle brackets.
    pub bracketed: bool,
}

impl<'a> NameAddr<'a> {
    /// Reads one element. A display name without quotes may hold anything but `"` and `<`: many senders forget the quotes.
    pub fn parse(element: &'a str) -> Result<Self, Malformed> {
        let element = element.trim();
        let mut place = Place::Plain;
        let (mut open, mut close) = (None, None);
        for (at, c) in element.char_indices() {
            match (place, c) {
                (Place::Plain, '<') if open.is_none() => open = Some(at),
                (Place::Plain, '<') => return Err(Malformed::Rest),
                (Place::Bracketed, '<') => return Err(Malformed::Bracket),
                (Place::Bracketed, '>') => close = Some(at),
                _ => {}
            }
            place = place.after(c);
        }
        place.end()?;
        let part = |from: usize, to: usize| element.get(from..to).unwrap_or_default().trim();
        let read = match (open, close) {
            (Some(open), Some(close)) => NameAddr {
                display: part(0, open),
                uri: part(open + 1, close),
                params: part(close + 1, element.len()),
                bracketed: true,
            },
            // Without brackets, parameters are the header's, not the address's (RFC 3261 §20).
            _ => {
                let end = element.find(';').unwrap_or(element.len());
                NameAddr {
                    display: "",
                    uri: part(0, end),
                    params: part(end, element.len()),
                    bracketed: false,
                }
            }
        };
        let is_one_word = !read.uri.contains(|c: char| c.is_whitespace() || c == '"' || c == '>');
        if read.uri.is_empty() {
            return Err(Malformed::Empty);
        }
        let no_list = read.bracketed || !read.uri.contains(',');
        let no_rest = read.params.is_empty() || read.params.starts_with(';');
        if is_one_word && no_list && no_rest {
            Ok(read)
        } else {
            Err(Malformed::Rest)
        }
    }

    /// The value of one of the header's parameters, without its quotes; empty for one without a value.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        split(self.params, ';').ok()?.into_iter().find_map(|param| {
            let (key, value) = param.split_once('=').unwrap_or((param, ""));
            key.trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().trim_matches('"'))
        })
    }

    /// The telephone number that the address is, see [`number`].
    pub fn number(&self, plan: Option<&NumberPlan>) -> Option<PhoneNumber> {
        number(self.uri, plan)
    }
}

/// The telephone number that an address is: `tel:` with a global number, or the user part of `sip:` and `sips:` that is one. Which
/// digits are missing of another one is known by a plan alone.
pub fn number(uri: &str, plan: Option<&NumberPlan>) -> Option<PhoneNumber> {
    subscriber_number(user(uri)?, plan)
}

/// The user part of `sip:` and `sips:` without a password, or the subscriber of `tel:`, with the parameters of either.
pub fn user(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    if scheme.eq_ignore_ascii_case("tel") {
        return Some(rest);
    }
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return None;
    }
    // "@" stands once: neither a user nor a host, parameter or header may hold it as it is.
    let (user, host) = rest.split_once('@')?;
    if host.contains('@') || host.is_empty() || host.starts_with([';', '?', ':']) {
        return None;
    }
    let (user, _password) = user.split_once(':').unwrap_or((user, ""));
    Some(user)
}

/// The number of a telephone subscriber (RFC 3966 §3): `%2B` and the like are read, parameters such as `;cpc=` skipped. One without
/// `+` is read by the plan, within what `phone-context` says (§5.1.5).
fn subscriber_number(user: &str, plan: Option<&NumberPlan>) -> Option<PhoneNumber> {
    let text = subscriber(user)?;
    let Some(plan) = plan.filter(|_| !text.starts_with('+')) else {
        return PhoneNumber::new(&text).ok();
    };
    match context(user) {
        Some(context) => plan.within(&unescaped(context)?)?.read(&text).ok(),
        None => plan.read(&text).ok(),
    }
}

/// Where a local number says that it holds.
fn context(user: &str) -> Option<&str> {
    user.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.eq_ignore_ascii_case("phone-context").then_some(value)
    })
}

/// The digits of a telephone subscriber with their separators, and the `+` of a global number. None for any other name.
pub fn subscriber(user: &str) -> Option<String> {
    let (subscriber, _params) = user.split_once(';').unwrap_or((user, ""));
    let text = unescaped(subscriber)?;
    let may_be = |c: char| c.is_ascii_digit() || "+-.()".contains(c);
    text.chars().all(may_be).then_some(text)
}

/// Reads `%HH`. None where it is not hexadecimal or not ASCII, which no number is.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = String::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        };
        if !byte.is_ascii() {
            return None;
        }
        plain.push(char::from(byte));
    }
    Some(plain)
}

#[cfg(test)]
#[path = "name_addr_tests.rs"]
mod tests;
