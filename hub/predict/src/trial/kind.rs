//! What a channel is taken for.

use serde::{Deserialize, Serialize};

/// What a channel seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A quantity that is measured.
    Measured,
    /// It has no value at all.
    Empty,
    /// Most of its fields are no numbers.
    Text,
    /// The same value everywhere.
    Constant,
    /// It has two values: on and off, or a mark.
    TwoValued,
    /// A judgement that was written in afterwards, by its name.
    Label,
    /// It only grows.
    Counter,
    /// It measures the surroundings, by its name.
    Ambient,
    /// It follows the time of day.
    Daily,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::Measured,
        Kind::Empty,
        Kind::Text,
        Kind::Constant,
        Kind::TwoValued,
        Kind::Label,
        Kind::Counter,
        Kind::Ambient,
        Kind::Daily,
    ];
}
