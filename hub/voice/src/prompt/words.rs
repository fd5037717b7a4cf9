//! The spoken forms of values, by language.

use super::{spoken_en, spoken_zh};
use hub_core::language::Language;
use jiff::Zoned;

/// The spoken forms of one language.
pub(super) struct Words(pub Language);

impl Words {
    pub fn name(&self, text: &str) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::name(text),
            Language::En => spoken_en::name(text),
        }
    }

    pub fn one_by_one(&self, text: &str) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::one_by_one(text),
            Language::En => spoken_en::one_by_one(text),
        }
    }

    pub fn number(&self, number: u64) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::number(number),
            Language::En => number.to_string(),
        }
    }

    pub fn money(&self, currency: &str, minor_units: u64) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::money(currency, minor_units),
            Language::En => spoken_en::money(currency, minor_units),
        }
    }

    pub fn slot(&self, start: &Zoned, end: &Zoned) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::slot(start, end),
            Language::En => spoken_en::slot(start, end),
        }
    }

    pub fn moment(&self, at: &Zoned) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::moment(at),
            Language::En => spoken_en::moment(at),
        }
    }
}
