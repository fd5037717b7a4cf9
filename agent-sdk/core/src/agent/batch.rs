//! From readings to batches in the outbox.

use super::readings::{Samples, time_of, value_of};
use super::{Agent, MetricSlot, uptime};
use crate::publish::{Overflow, Publish, Qos};
use crate::session::{NEVER, later};
use agent_sdk_wire::{BatchEncoder, EncodeError, Header, Lane, Source, TimeBase, ordered};

impl Agent<'_> {
    /// When the open batch has to be closed; [`NEVER`] if there is none.
    pub(super) fn batch_due(&self) -> u64 {
        if self.readings.is_empty() {
            return NEVER;
        }
        later(self.readings.t0_ms(), self.batch_age_ms)
    }

    /// Closes the open batch if it is old enough, or has as many samples as it may.
    pub(super) fn close_due_batch(&mut self, now: u64) {
        if now >= self.batch_due() || self.readings.rows() >= self.batch_samples {
            self.close_batch();
        }
    }

    /// Puts the readings into the outbox, those of each policy in messages of their own.
    pub(super) fn close_batch(&mut self) {
        self.publish_samples(Overflow::DropNewest);
        self.publish_samples(Overflow::DropOldest);
        self.readings.clear();
    }

    fn publish_samples(&mut self, overflow: Overflow) {
        let metrics = self.metrics.get(..self.declared).unwrap_or_default();
        let mut rest = self.readings.samples(overflow);
        while let Some(first) = rest.clone().next() {
            let header = Header {
                time_base: TimeBase::Uptime,
                boot_id: self.boot_id,
                seq: self.next_sample,
                t0_ms: uptime(later(self.readings.t0_ms(), time_of(first))),
            };
            // As many as fit into a message.
            let mut count = rest.clone().count();
            let passed = loop {
                let passed = encode(rest.first(count), &mut *self.scratch, &header, metrics);
                if passed.is_ok() || count <= 1 {
                    break passed;
                }
                count /= 2;
            };
            if let Ok(payload) = passed {
                let message = Publish {
                    lane: Lane::Telemetry,
                    topic: "t",
                    payload,
                    qos: Qos::AtLeastOnce,
                    retain: false,
                    overflow,
                };
                // What is refused was counted by the session, and its numbers are missing at the hub.
                let _ = self.session.publish(&message);
            } else {
                self.birth.count(Lane::Telemetry, 1);
            }
            self.next_sample = self.next_sample.wrapping_add(count as u64);
            rest.by_ref().take(count).for_each(drop);
        }
    }
}

/// Writes samples, all of which have readings of metrics with the same policy as a batch of those metrics.
fn encode<'s>(
    samples: Samples<'_>,
    buffer: &'s mut [u8],
    header: &Header,
    metrics: &[MetricSlot],
) -> Result<&'s [u8], EncodeError> {
    let mut cells = Cells::new(samples);
    let mut batch = BatchEncoder::of_source(buffer, header, &mut cells)?;
    let mut last = 0;
    while let Some((index, channel)) = next_channel(metrics, cells.all.overflow(), last) {
        cells.metric = Some(index);
        cells.restart();
        batch.column_of(channel, &mut cells)?;
        last = channel;
    }
    batch.finish()
}

/// What a batch is made of: the times of its samples, or the values of one metric.
struct Cells<'r> {
    all: Samples<'r>,
    rest: Samples<'r>,
    first_ms: u32,
    /// The number of the metric; `None` for times.
    metric: Option<u8>,
}

impl<'r> Cells<'r> {
    fn new(samples: Samples<'r>) -> Self {
        Self {
            first_ms: samples.clone().next().map_or(0, time_of),
            rest: samples.clone(),
            all: samples,
            metric: None,
        }
    }
}

impl Source for Cells<'_> {
    #[inline(always)]
    fn restart(&mut self) {
        self.rest = self.all.clone();
    }

    fn next(&mut self) -> Option<Option<u32>> {
        let sample = self.rest.next()?;
        Some(match self.metric {
            Some(metric) => value_of(sample, metric).map(ordered),
            None => Some(time_of(sample).saturating_sub(self.first_ms)),
        })
    }
}

/// The metric with this policy whose channel follows `last`: its number, and the channel.
fn next_channel(metrics: &[MetricSlot], overflow: Overflow, last: u8) -> Option<(u8, u8)> {
    let mut next: Option<(u8, u8)> = None;
    let mut index = 0_u8;
    for MetricSlot { metric, .. } in metrics {
        let is_next = metric.channel > last && next.is_none_or(|(_, channel)| metric.channel < channel);
        if is_next && metric.overflow == overflow {
            next = Some((index, metric.channel));
        }
        index = index.wrapping_add(1);
    }
    next
}
