//! What devices say besides readings. What is older than what is kept changes nothing.

use super::ingest::stored;
use super::state::State;
use super::{text, without_nul};
use crate::telemetry::Ingested;
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Reverse;

/// Clock offsets kept for each appliance: those of its newest starts.
const OFFSETS_MAX: usize = 16;
/// Attributes kept for each appliance; those that were told longest ago give way.
const ATTRIBUTES_MAX: usize = 256;
/// Longest state kept, in bytes.
const STATE_MAX: usize = 4096;

impl State {
    pub(super) fn take_clock(&mut self, appliance: ApplianceId, boot: u64, offset_ms: i64) -> Ingested {
        let offsets = self.telemetry.offsets.entry(appliance).or_default();
        match offsets.iter_mut().find(|(of, _)| *of == boot) {
            Some(known) => known.1 = offset_ms,
            None => offsets.push((boot, offset_ms)),
        }
        let over = offsets.len().saturating_sub(OFFSETS_MAX);
        offsets.drain(..over);
        stored(0)
    }

    pub(super) fn take_state(
        &mut self,
        appliance: ApplianceId,
        payload: &[u8],
        retain: bool,
        at: Timestamp,
    ) -> Ingested {
        if !retain {
            return stored(0);
        }
        if self.states.get(&appliance).is_none_or(|(_, before)| *before <= at) {
            if payload.is_empty() {
                self.states.remove(&appliance);
            } else {
                let kept = payload[..payload.len().min(STATE_MAX)].to_vec();
                self.states.insert(appliance, (kept, at));
            }
        }
        stored(1)
    }

    pub(super) fn take_attributes(
        &mut self,
        appliance: ApplianceId,
        values: &Map<String, Value>,
        at: Timestamp,
    ) -> Ingested {
        for (name, value) in values {
            let told = self.told.entry((appliance, text(name)));
            let told = told.or_insert_with(|| (Value::Null, at));
            if told.1 <= at {
                *told = (without_nul(value.clone()), at);
            }
        }
        let own = (appliance, String::new())..(ApplianceId(appliance.0 + 1), String::new());
        let mut names: Vec<(Reverse<Timestamp>, String)> = self
            .told
            .range(own)
            .map(|((_, name), (_, at))| (Reverse(*at), name.clone()))
            .collect();
        names.sort();
        for (_, name) in names.into_iter().skip(ATTRIBUTES_MAX) {
            self.told.remove(&(appliance, name));
        }
        stored(1)
    }
}
