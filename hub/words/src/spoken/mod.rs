//! Values as a language says them on the telephone. What comes out can be read aloud by that language's voice.

mod en;
mod zh;

use hub_core::language::Language;
use jiff::Zoned;

/// A name in its own writing, made readable: what the voice has no sound for is left out. Empty when nothing is left.
pub fn name(language: Language, text: &str) -> String {
    match language {
        Language::ZhCn => zh::name(text),
        Language::En => en::name(text),
    }
}

/// Letters and figures one by one, as a serial number is read out; other characters are left out.
pub fn one_by_one(language: Language, text: &str) -> String {
    match language {
        Language::ZhCn => zh::one_by_one(text),
        Language::En => en::one_by_one(text),
    }
}

/// A whole number.
pub fn number(language: Language, number: u64) -> String {
    match language {
        Language::ZhCn => zh::number(number),
        // The English voice reads figures as quantities.
        Language::En => number.to_string(),
    }
}

/// A sum of money: an ISO 4217 code, and an amount in the currency's smallest unit.
pub fn money(language: Language, currency: &str, minor_units: u64) -> String {
    match language {
        Language::ZhCn => zh::money(currency, minor_units),
        Language::En => en::money(currency, minor_units),
    }
}

/// A stretch of time, both ends in the listener's time zone.
pub fn slot(language: Language, start: &Zoned, end: &Zoned) -> String {
    match language {
        Language::ZhCn => zh::slot(start, end),
        Language::En => en::slot(start, end),
    }
}

/// A moment, in the listener's time zone.
pub fn moment(language: Language, at: &Zoned) -> String {
    match language {
        Language::ZhCn => zh::moment(at),
        Language::En => en::moment(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_counts_in_its_own_way() {
        assert_eq!(number(Language::En, 2_050), "2050");
        assert_eq!(number(Language::ZhCn, 2_050), "两千零五十");
    }
}
