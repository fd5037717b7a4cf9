//! What is new of a batch is stored, what is a repeat is counted.

use super::readings::Row;
use super::state::State;
use crate::telemetry::{Ingest, Ingested};
use hub_core::id::ApplianceId;
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::TelemetryMessage;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Profiles by name.
pub(super) type Profiles = BTreeMap<String, Arc<ApplianceProfile>>;

impl State {
    /// Takes one item in. Its appliance exists.
    pub(super) fn take(&mut self, item: &Ingest, profiles: &Profiles) -> Ingested {
        match item {
            Ingest::Telemetry(message) => self.take_readings(message, profiles),
            Ingest::Partly(partly) => {
                let answer = self.take_readings(&partly.taken, profiles);
                if answer.stored > 0 || !self.has_aside(&partly.aside) {
                    self.take_quarantined(&partly.aside);
                }
                answer
            }
            Ingest::Clock {
                appliance,
                boot,
                offset_ms,
            } => self.take_clock(*appliance, *boot, *offset_ms),
            Ingest::Quarantine(payload) => self.take_quarantined(payload),
            Ingest::State {
                appliance,
                payload,
                content,
                retain,
                at,
            } => {
                if *retain {
                    self.take_birth(*appliance, content, *at);
                }
                self.take_state(*appliance, payload, *retain, *at)
            }
            Ingest::Attributes { appliance, values, at } => self.take_attributes(*appliance, values, *at),
            Ingest::Reply {
                appliance,
                request,
                payload,
                at,
            } => self.take_reply(*appliance, request, payload, *at),
            Ingest::Dropped { appliance, count } => {
                if let Some(appliance) = self.appliances.get_mut(appliance) {
                    appliance.status.dropped += i64::from(*count);
                }
                stored(0)
            }
            Ingest::Once {
                appliance,
                packet_id,
                content,
            } => {
                if self.telemetry.packets.insert((*appliance, *packet_id)) {
                    self.take(content, profiles)
                } else {
                    repeated(content)
                }
            }
            Ingest::Release { appliance, packet_id } => {
                self.telemetry.packets.remove(&(*appliance, *packet_id));
                stored(0)
            }
            Ingest::Replayed { number, content, .. } => {
                if self.release(*number) {
                    self.take(content, profiles)
                } else {
                    repeated(content)
                }
            }
        }
    }

    fn take_readings(&mut self, message: &TelemetryMessage, profiles: &Profiles) -> Ingested {
        let appliance = self.appliances.get_mut(&message.appliance);
        let profile = appliance
            .as_ref()
            .and_then(|appliance| profiles.get(&appliance.profile));
        let (Some(profile), Some(appliance)) = (profile, appliance) else {
            return stored(0);
        };
        let status = &mut appliance.status;
        let mut answer = stored(0);
        for (index, sample) in message.samples.iter().enumerate() {
            let Some(gap) = self.telemetry.take(message, index) else {
                answer.repeated += 1;
                continue;
            };
            self.telemetry.push(appliance.partition, profile, message, sample);
            answer.stored += 1;
            status.gaps += gap;
            status.last_sample_at = status.last_sample_at.max(Some(sample.at));
        }
        status.gaps = status.gaps.max(0);
        status.samples += i64::from(answer.stored);
        status.repeated += i64::from(answer.repeated);
        status.skew_ms = message.skew_ms.or(status.skew_ms);
        answer
    }
}

/// So much is stored now.
pub(super) fn stored(stored: u32) -> Ingested {
    Ingested { stored, repeated: 0 }
}

/// All of it was stored before.
fn repeated(content: &Ingest) -> Ingested {
    let repeated = match content.readings() {
        Some(message) => u32::try_from(message.samples.len()).unwrap_or(u32::MAX),
        None => 1,
    };
    Ingested { stored: 0, repeated }
}

impl State {
    /// Stored samples of an appliance in the order of commits; of one that does not exist, none.
    pub(super) fn rows_of(&self, appliance: ApplianceId) -> impl Iterator<Item = &Row> {
        let partition = self.appliances.get(&appliance).map(|a| usize::from(a.partition));
        let rows = partition.map_or(&[][..], |partition| self.telemetry.partitions[partition].as_slice());
        rows.iter().filter(move |row| row.stored.appliance == appliance)
    }
}
