//! What is wrong with a flow, and with the values of a call.

use super::load::BYTES_MAX;
use crate::value::Kind;
use hub_words::TextError;

/// Why a flow is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Its text is beyond the bound.
    #[error("the flow {file} is longer than {BYTES_MAX} bytes; make several flows of it")]
    TooLong {
        /// The file.
        file: String,
    },
    /// It is not TOML, or has other fields than a flow.
    #[error("the flow {file} is not written as a flow is; correct the line that is named")]
    Toml {
        /// The file.
        file: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// It contradicts itself or the translation files.
    #[error("the flow {file} cannot be used: {place} {fault}")]
    Fault {
        /// The file.
        file: String,
        /// The node, or another key of the file.
        place: String,
        /// What is wrong there, and what to do.
        fault: Fault,
    },
    /// The translation files cannot be read.
    #[error("the calls' texts cannot be read")]
    Texts(#[from] TextError),
}

/// What is wrong at one place of a flow: the rest of a sentence that begins with the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It leads to nowhere.
    #[error("leads to {0:?}, which is no node; add [nodes.{0}] or correct the name")]
    UnknownNode(String),
    /// It says a prompt that there is not.
    #[error("says {0:?}, which is no prompt; add it under [prompts] or correct the name")]
    UnknownPrompt(String),
    /// It says a text that there is not in each language.
    #[error("says the text {text:?}, which i18n/{language}/call.ftl has not; add it there or correct the name")]
    UnknownText {
        /// The text.
        text: String,
        /// Where it is missing.
        language: &'static str,
    },
    /// It needs a value that the flow does not declare.
    #[error("needs the value {0:?}; declare it under [values] or [optional_values] or correct the name")]
    UnknownValue(String),
    /// A text needs a value that a call may lack.
    #[error(
        "says the text {text:?} in calls that have no {value:?}, which it needs; say it `when {value}`, or lead here \
         by keys `when {value}`"
    )]
    ValueMayLack {
        /// The text.
        text: String,
        /// The value.
        value: String,
    },
    /// A value cannot be said like that.
    #[error("says {value:?}, but {kind} is not said {how}; {instead}")]
    Unsayable {
        /// The value.
        value: String,
        /// Its kind.
        kind: Kind,
        /// By itself, or in a text.
        how: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Neither a name nor a name with a condition.
    #[error("has {0:?}, which is no name; write `name`, `name when value` or `name unless value`")]
    Unreadable(String),
    /// No key of a telephone.
    #[error("has the key {0:?}; a telephone has 0 to 9, * and #")]
    Key(String),
    /// A number is out of its bounds.
    #[error("is {is}; write a number from {min} to {max}")]
    OutOfBounds {
        /// The number.
        is: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// Nothing leads there.
    #[error("is never reached; lead a key to it or remove it")]
    Unreached,
    /// Nobody needs it.
    #[error("is not used; use it or remove it")]
    Unused,
    /// It is there twice.
    #[error("is declared under [values] too; remove one of the two")]
    Twice,
    /// A call in which no key is pressed goes on without end.
    #[error("comes to no end if nobody presses a key; let its way lead to a farewell")]
    Endless,
    /// There may be nothing to say.
    #[error("may have nothing to say; add a text that is said in every call")]
    Silent,
    /// What is said last has to end the call.
    #[error("leads to {0:?}, which is no farewell; name one, since the call is cut off soon after")]
    NoFarewell(String),
}

/// Why a flow cannot be played with the values of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It is not there.
    #[error("the call order has no value {value:?}, which the flow {flow} declares; hand it in")]
    Missing {
        /// The flow's file.
        flow: String,
        /// The value.
        value: String,
    },
    /// It is something else.
    #[error("the call order's value {value:?} is {is}, and the flow {flow} declares {wanted}; hand in that")]
    Kind {
        /// The flow's file.
        flow: String,
        /// The value.
        value: String,
        /// What it is.
        is: Kind,
        /// What it is declared to be.
        wanted: Kind,
    },
}
