//! Batches: the columns that a device sends become the same rows that it could have sent one by one.

use super::{Content, Decoder, Row};
use agent_sdk_wire::Batch;
use hub_core::telemetry::{Identity, Lane};
use serde_json::json;

impl Decoder<'_> {
    pub(super) fn batch(&self, batch: &Batch<'_>) -> Result<Content, String> {
        let header = batch.header;
        let times = batch.dt_ms().map(|dt_ms| header.t0_ms + i64::from(dt_ms)).collect();
        let mut rows: Vec<_> = batch.dt_ms().map(|_| Row::new(self.profile)).collect();
        for (channel, column) in batch.columns() {
            for (row, stored) in rows.iter_mut().zip(column) {
                if let Some(stored) = stored {
                    row.set_stored(channel, stored);
                }
            }
        }
        let samples = rows.into_iter().map(Row::sample).collect();
        let identity = Identity::Sequence {
            boot: header.boot_id,
            lane: Lane::Telemetry,
            first: header.seq,
        };
        self.timed(header.time_base, header.boot_id, times, samples, identity)
    }
}

impl Row<'_> {
    /// A value by the profile's scale. The scale of a channel that the profile does not have is not known either, so what
    /// came is kept as what it is: `{"stored": integer}`.
    fn set_stored(&mut self, id: u8, stored: i32) {
        let profile = self.profile;
        let known = usize::from(id)
            .checked_sub(1)
            .and_then(|position| Some((position, profile.channels.get(position)?)));
        match known {
            Some((position, channel)) => self.set(position, channel.value(stored)),
            None => {
                self.unknown.insert(id.to_string(), json!({"stored": stored}));
            }
        }
    }
}
