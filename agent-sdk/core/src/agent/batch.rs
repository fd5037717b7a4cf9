//! From readings to batches in the outbox.

use super::readings::{Samples, time_of, value_of};
use super::{Agent, Metric, MetricSlot, declared, uptime};
use crate::publish::{Overflow, Publish, Qos};
use agent_sdk_wire::{BatchEncoder, EncodeError, Header, Lane, TimeBase};

impl Agent<'_> {
    /// When the open batch has to be closed.
    pub(super) fn batch_due(&self) -> Option<u64> {
        let due = self.readings.t0_ms().saturating_add(u64::from(self.batch_age_ms));
        (!self.readings.is_empty()).then_some(due)
    }

    /// Closes the open batch if it is old enough, or has as many samples as it may.
    pub(super) fn close_due_batch(&mut self, now: u64) {
        let is_old = self.batch_due().is_some_and(|due| now >= due);
        if is_old || self.readings.rows() >= self.batch_samples {
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
        let samples = self.readings.samples(overflow);
        let total = samples.clone().count();
        let (mut done, mut at_once) = (0, total);
        while done < total {
            let part = Part {
                samples: samples.clone(),
                skip: done,
                take: at_once,
            };
            let header = Header {
                time_base: TimeBase::Uptime,
                boot_id: self.boot_id,
                seq: self.next_sample,
                t0_ms: uptime(self.readings.t0_ms().saturating_add(part.first_ms())),
            };
            let passed = match part.encode(&mut *self.scratch, &header, metrics, overflow) {
                Ok(payload) => {
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
                    at_once
                }
                Err(_) if at_once > 1 => {
                    at_once /= 2;
                    continue;
                }
                Err(_) => {
                    self.birth.count(Lane::Telemetry, 1);
                    1
                }
            };
            self.next_sample = self.next_sample.saturating_add(passed as u64);
            done = done.saturating_add(passed);
            at_once = total.saturating_sub(done);
        }
    }
}

/// Some samples in a row.
struct Part<'r> {
    samples: Samples<'r>,
    skip: usize,
    take: usize,
}

impl<'r> Part<'r> {
    fn samples(&self) -> impl Iterator<Item = &'r [super::Reading]> + Clone + use<'r> {
        self.samples.clone().skip(self.skip).take(self.take)
    }

    /// When the first one was taken, in milliseconds after the first of all.
    fn first_ms(&self) -> u64 {
        self.samples().next().map_or(0, |sample| u64::from(time_of(sample)))
    }

    fn encode<'s>(
        &self,
        buffer: &'s mut [u8],
        header: &Header,
        metrics: &[MetricSlot],
        overflow: Overflow,
    ) -> Result<&'s [u8], EncodeError> {
        let first = self.samples().next().map_or(0, time_of);
        let times = self.samples().map(move |sample| time_of(sample).saturating_sub(first));
        let mut batch = BatchEncoder::new(buffer, header, times)?;
        let mut last = 0;
        while let Some((index, metric)) = next_channel(metrics, overflow, last) {
            let values = self.samples().map(move |sample| value_of(sample, index));
            batch.column(metric.channel, values)?;
            last = metric.channel;
        }
        batch.finish()
    }
}

/// The metric with this policy whose channel follows `last`.
fn next_channel(metrics: &[MetricSlot], overflow: Overflow, last: u8) -> Option<(u8, Metric)> {
    declared(metrics, metrics.len())
        .filter(|(_, metric)| metric.overflow == overflow && metric.channel > last)
        .min_by_key(|(_, metric)| metric.channel)
}
