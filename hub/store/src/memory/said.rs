//! What devices say besides readings. What is older than what is kept changes nothing.

use super::ingest::stored;
use super::state::State;
use super::{text, without_nul};
use crate::birth::{Birth, DROPPED_MAX, KeptBirth, StateContent};
use crate::bounds::{ATTRIBUTES_MAX, FIRMWARE_ATTRIBUTE, OFFSETS_MAX, STATE_MAX};
use crate::telemetry::Ingested;
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Reverse;

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

    /// What a retained state says of the device itself.
    pub(super) fn take_birth(&mut self, appliance: ApplianceId, content: &StateContent, at: Timestamp) {
        let before = self.births.get(&appliance);
        if before.is_some_and(|kept| kept.at > at) {
            return;
        }
        match content {
            StateContent::Birth(birth) => {
                let kept = KeptBirth {
                    birth: Birth::clone(birth),
                    at,
                    dropped_events_in_all: in_all(
                        birth,
                        before,
                        |birth| birth.dropped_events,
                        |kept| kept.dropped_events_in_all,
                    ),
                    dropped_telemetry_in_all: in_all(
                        birth,
                        before,
                        |birth| birth.dropped_telemetry,
                        |kept| kept.dropped_telemetry_in_all,
                    ),
                };
                self.births.insert(appliance, kept);
                self.take_firmware(appliance, &text(&birth.firmware), at);
            }
            StateContent::Gone => {}
            StateContent::Other => {
                self.births.remove(&appliance);
            }
        }
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
        // What a device agent says of its own firmware goes before an attribute.
        let told = self.told.get(&(appliance, FIRMWARE_ATTRIBUTE.to_owned()));
        if let Some((Value::String(said), _)) = told.filter(|told| told.1 == at).cloned()
            && values.contains_key(FIRMWARE_ATTRIBUTE)
            && !self.births.contains_key(&appliance)
        {
            self.take_firmware(appliance, &said, at);
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

/// What a device gave up over all its starts. Of one start, only what its count has risen by is new.
fn in_all(
    birth: &Birth,
    before: Option<&KeptBirth>,
    since_start: fn(&Birth) -> u64,
    so_far: fn(&KeptBirth) -> u64,
) -> u64 {
    let Some(before) = before else {
        return since_start(birth).min(DROPPED_MAX);
    };
    let told = if before.birth.boot == birth.boot {
        since_start(&before.birth)
    } else {
        0
    };
    let new = since_start(birth).saturating_sub(told);
    so_far(before).saturating_add(new).min(DROPPED_MAX)
}
