//! A flow as it stands in its file.

use crate::value::Kind;
use hub_core::call_result::Disposition;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowFile {
    pub start: String,
    pub key_wait_s: u64,
    pub wrong_max: u64,
    pub wrong_end: String,
    pub time_end: String,
    /// Values that each call order has.
    #[serde(default)]
    pub values: BTreeMap<String, Kind>,
    /// Values that a call order may lack.
    #[serde(default)]
    pub optional_values: BTreeMap<String, Kind>,
    /// Lists of `text`, `text when value`, `text unless value`, and of `$value` in the place of a text.
    pub prompts: BTreeMap<String, Vec<String>>,
    pub nodes: BTreeMap<String, NodeInFile>,
}

/// A node. `say` names prompts.
#[derive(Debug, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum NodeInFile {
    Gather {
        say: Vec<String>,
        /// By the key: `node`, `node when value` or `node unless value`.
        keys: BTreeMap<String, String>,
        wrong: String,
        silence: String,
    },
    /// Figures, ended by `#` or by a pause, that may name something.
    Enter {
        say: Vec<String>,
        named: String,
        unnamed: String,
        silence: String,
    },
    Save {
        choice: Disposition,
        saved: String,
        refused: String,
    },
    Farewell {
        say: Vec<String>,
    },
}
