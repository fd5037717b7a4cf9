//! What is known of the countries' numbers: their codes, national prefixes, lengths and kinds. The one place that knows the
//! library which has the tables; they are unpacked when the first number is read.

use super::{DIGITS_MAX, DIGITS_MIN, PhoneNumber, PhoneNumberError};
use phonenumber::Type;
use phonenumber::metadata::{DATABASE, Descriptor, Format, Metadata};

/// Most digits of a country code.
const CODE_MAX: usize = 3;
/// Kinds of numbers that somebody can be rung at.
const KINDS: [Type; 8] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::SharedCost,
    Type::PremiumRate,
    Type::PersonalNumber,
    Type::Voip,
    Type::Uan,
];

/// A number that was read.
pub(super) struct Found {
    pub(super) number: PhoneNumber,
    country: Country,
    national: String,
}

impl Found {
    /// It begins as numbers of the country do.
    pub(super) fn fits(&self) -> bool {
        self.country.fits(&self.national)
    }

    /// The country has given out numbers like it.
    pub(super) fn is_assigned(&self) -> bool {
        let mut kinds = self.country.all.iter().flat_map(|country| Country::kinds(country));
        kinds.any(|kind| kind.is_match(&self.national))
    }
}

/// Reads digits that begin with a country code.
pub(super) fn read(digits: &str) -> Result<Found, PhoneNumberError> {
    let (country, national) = split(digits).ok_or(PhoneNumberError::Country)?;
    let mut national = national.to_owned();
    // More than once, so that what comes of it is read as itself.
    for _ in 0..DIGITS_MAX {
        let Some(short) = country.without_prefix(&national) else {
            break;
        };
        national = short;
    }
    let number = format!("+{}{national}", country.code);
    let length = number.len() - 1;
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&length) || !country.has_length(&national) {
        return Err(PhoneNumberError::Length(length));
    }
    Ok(Found {
        number: PhoneNumber(number),
        country,
        national,
    })
}

/// Reads digits as they are dialled from anywhere in a country: with its national prefix, or without one where numbers like it have
/// none there. Digits that the country has not given out are none: without area code, they could be somebody's in another town.
pub(super) fn read_at_home(code: &str, digits: &str) -> Result<Found, PhoneNumberError> {
    let found = read(&format!("{code}{digits}"))?;
    let has_prefix = found.national != digits;
    let is_whole = has_prefix || found.country.is_dialled_bare(&found.national);
    Some(found)
        .filter(|found| is_whole && found.is_assigned())
        .ok_or(PhoneNumberError::NotNational)
}

/// Whether this is the code of a country, or of numbers that belong to none.
pub(crate) fn is_country(code: &str) -> bool {
    split(code).is_some_and(|(_, rest)| rest.is_empty())
}

/// The same number with its country's national prefix behind the country code.
pub(super) fn with_prefix(number: &str) -> Option<String> {
    let (country, national) = split(number.strip_prefix('+')?)?;
    let prefix = country.main.national_prefix()?;
    Some(format!("+{}{prefix}{national}", country.code))
}

/// The countries that share a code.
struct Country {
    code: u16,
    /// The one by whose habits numbers are written.
    main: &'static Metadata,
    all: Vec<&'static Metadata>,
}

/// No country code begins with another (ITU-T E.164, list of assigned country codes).
fn split(digits: &str) -> Option<(Country, &str)> {
    if digits.starts_with('0') || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    (1..=CODE_MAX).find_map(|len| {
        let code = digits.get(..len)?.parse().ok()?;
        let all = DATABASE.by_code(&code)?;
        let main = *all.first()?;
        Some((Country { code, main, all }, digits.get(len..)?))
    })
}

impl Country {
    fn kinds(country: &'static Metadata) -> impl Iterator<Item = &'static Descriptor> {
        let kinds = KINDS.iter();
        kinds.filter_map(|&kind| country.descriptors().get(kind))
    }

    fn has_length(&self, national: &str) -> bool {
        let length = u16::try_from(national.len()).unwrap_or(u16::MAX);
        Self::kinds(self.main).any(|kind| kind.possible_length().contains(&length))
    }

    fn fits(&self, national: &str) -> bool {
        let mut countries = self.all.iter();
        self.has_length(national) && countries.any(|country| country.descriptors().general().is_match(national))
    }

    /// Within the country a number like it is written without the national prefix.
    fn is_dialled_bare(&self, national: &str) -> bool {
        let is_of = |format: &&Format| {
            let begins = format.leading_digits().last();
            begins.is_none_or(|begins| begins.find(national).is_some_and(|found| found.start() == 0))
                && format
                    .pattern()
                    .find(national)
                    .is_some_and(|found| found.range() == (0..national.len()))
        };
        let format = self.main.formats().iter().find(is_of);
        // "$NP" stands for the prefix in a format's rule.
        format.is_some_and(|format| format.national_prefix().is_none_or(|rule| !rule.contains("$NP")))
    }

    /// The number without a national prefix. None where it has none, or is one of the country's only as it stands.
    fn without_prefix(&self, national: &str) -> Option<String> {
        let short = match self.main.national_prefix_for_parsing() {
            Some(prefix) => {
                let found = prefix.captures(national)?;
                let whole = found.get(0).filter(|whole| whole.start() == 0 && whole.end() > 0)?;
                // Numbers that are written in another way at home, such as Argentina's mobile phones.
                let last = (found.len() > 1).then(|| found.get(found.len() - 1)).flatten();
                match self.main.national_prefix_transform_rule().zip(last) {
                    Some((rule, _)) => prefix.replace(national, rule).into_owned(),
                    None => national.get(whole.end()..)?.to_owned(),
                }
            }
            None => national.strip_prefix(self.main.national_prefix()?)?.to_owned(),
        };
        let is_better = self.has_length(&short) && (self.fits(&short) || !self.fits(national));
        is_better.then_some(short)
    }
}
