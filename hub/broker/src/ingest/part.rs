//! Publishes on their way through the committer: whole batches, halves of them, single ones.

use super::{Item, Parcel, WILL};
use crate::counters::{BrokerCounters, add, subtract};
use crate::decode::Origin;
use crate::mailbox::{Settled, Waiter};
use crate::underway::Mark;
use hub_store::telemetry::{Ingest, Ingested};
use tokio::time::Instant;

/// What an item was received as, and who waits for its commit.
pub(super) struct Receipt {
    pub(super) origin: Origin,
    waiter: Option<Waiter>,
    number: Option<u64>,
    /// Tells parcels apart.
    parcel: u64,
    deadline: Instant,
    /// Commits seen when it last failed alone.
    pub(super) failed_at: Option<u64>,
    pub(super) strikes: u32,
    /// It has been part of a try that failed.
    failed: bool,
    _mark: Option<Mark>,
}

#[derive(Default)]
pub(super) struct Part {
    pub(super) content: Vec<Ingest>,
    pub(super) receipts: Vec<Receipt>,
    /// Of payloads and properties.
    pub(super) bytes: u64,
}

impl Part {
    pub(super) fn push_parcel(&mut self, parcel: Parcel, number: u64) {
        let Parcel { waiter, items, .. } = parcel;
        for item in items {
            let Item {
                ingest,
                origin,
                number: waits_for,
                deadline,
                mark,
            } = item;
            let receipt = Receipt {
                origin,
                waiter: waiter.clone(),
                number: waits_for,
                parcel: number,
                deadline,
                failed_at: None,
                strikes: 0,
                failed: false,
                _mark: mark,
            };
            self.push(ingest, receipt);
        }
    }

    fn push(&mut self, ingest: Ingest, receipt: Receipt) {
        self.bytes += receipt.origin.bytes();
        self.content.push(ingest);
        self.receipts.push(receipt);
    }

    pub(super) fn append(&mut self, mut other: Part) {
        self.content.append(&mut other.content);
        self.receipts.append(&mut other.receipts);
        self.bytes += other.bytes;
    }

    pub(super) fn split_off(&mut self, at: usize) -> Part {
        let (content, receipts) = (self.content.split_off(at), self.receipts.split_off(at));
        let bytes = receipts.iter().map(|receipt| receipt.origin.bytes()).sum();
        self.bytes -= bytes;
        Part {
            content,
            receipts,
            bytes,
        }
    }

    /// The same in order, in parts of at most `items` each, and of `bytes` but for the last item.
    pub(super) fn cut(self, items: usize, bytes: u64) -> Vec<Part> {
        if self.len() <= items && self.bytes <= bytes {
            return vec![self];
        }
        let mut parts = Vec::new();
        let mut part = Part::default();
        for (ingest, receipt) in self.content.into_iter().zip(self.receipts) {
            if part.len() >= items || part.bytes >= bytes {
                parts.push(std::mem::take(&mut part));
            }
            part.push(ingest, receipt);
        }
        parts.push(part);
        parts
    }

    /// A try of these failed.
    pub(super) fn failed(&mut self) {
        for receipt in &mut self.receipts {
            receipt.failed = true;
        }
    }

    /// Gives up what failed before and belongs to a connection that is over. What was never tried stays: it may be a
    /// device's last word, and comes before all that the device says on its next connection.
    pub(super) fn forget_gone(&mut self, counters: &BrokerCounters) {
        let gone = |receipt: &Receipt| receipt.failed && receipt.is_gone();
        if !self.receipts.iter().any(gone) {
            return;
        }
        let Part { content, receipts, .. } = std::mem::take(self);
        for (ingest, receipt) in content.into_iter().zip(receipts) {
            if gone(&receipt) {
                receipt.drop_counted(counters);
            } else {
                self.push(ingest, receipt);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.receipts.len()
    }

    /// Tells those who wait, each once for what it sent together.
    pub(super) fn answer(&self, outcome: &[Ingested], counters: &BrokerCounters) {
        self.count(outcome, counters);
        let mut at = 0;
        for receipts in self.receipts.chunk_by(|a, b| a.parcel == b.parcel) {
            let ingested = &outcome[at..at + receipts.len()];
            at += receipts.len();
            let Some(waiter) = receipts.first().and_then(|receipt| receipt.waiter.as_ref()) else {
                continue;
            };
            let settled = receipts.iter().zip(ingested).filter_map(|(receipt, outcome)| {
                let number = receipt.number?;
                let outcome = *outcome;
                Some(Settled { number, outcome })
            });
            let settled: Vec<Settled> = settled.collect();
            if !settled.is_empty() {
                waiter.committed(settled);
            }
        }
    }

    fn count(&self, outcome: &[Ingested], counters: &BrokerCounters) {
        let (mut stored, mut repeated, mut quarantined, mut replies) = (0, 0, 0, 0);
        for (ingest, ingested) in self.content.iter().zip(outcome) {
            let content = match ingest {
                Ingest::Once { content, .. } => content,
                other => other,
            };
            match content {
                Ingest::Telemetry(_) => {
                    stored += u64::from(ingested.stored);
                    repeated += u64::from(ingested.repeated);
                }
                Ingest::Partly(_) => {
                    stored += u64::from(ingested.stored);
                    repeated += u64::from(ingested.repeated);
                    quarantined += u64::from(ingested.stored > 0);
                }
                Ingest::Quarantine(_) => quarantined += u64::from(ingested.stored),
                Ingest::Reply { .. } => replies += u64::from(ingested.stored),
                _ => {}
            }
        }
        add(&counters.samples_stored, stored);
        add(&counters.samples_repeated, repeated);
        add(&counters.quarantined, quarantined);
        add(&counters.replies, replies);
        subtract(&counters.queue_items, self.len() as u64);
        subtract(
            &counters.queue_bytes,
            self.receipts.iter().map(|t| t.origin.bytes()).sum(),
        );
    }

    /// Parts into items not known to be at fault and suspects, without what is given up.
    pub(super) fn sort(self, counters: &BrokerCounters) -> (Part, Part) {
        let (mut fresh, mut suspects) = (Part::default(), Part::default());
        let now = Instant::now();
        for (ingest, receipt) in self.content.into_iter().zip(self.receipts) {
            if receipt.is_over(now) {
                receipt.drop_counted(counters);
            } else if receipt.strikes > 0 {
                suspects.push(ingest, receipt);
            } else {
                fresh.push(ingest, receipt);
            }
        }
        (fresh, suspects)
    }
}

impl Receipt {
    /// Its time has passed, or the device that waited has gone and sends it again.
    fn is_over(&self, now: Instant) -> bool {
        now >= self.deadline || self.is_gone()
    }

    fn is_gone(&self) -> bool {
        self.number.is_some_and(|number| number != WILL) && self.waiter.as_ref().is_some_and(Waiter::is_gone)
    }

    /// Its time has passed.
    pub(super) fn give_up(&mut self) {
        self.deadline = Instant::now();
    }

    /// Not stored, and so not acknowledged.
    fn drop_counted(self, counters: &BrokerCounters) {
        add(&counters.dropped, 1);
        subtract(&counters.queue_items, 1);
        subtract(&counters.queue_bytes, self.origin.bytes());
        if let Some(waiter) = self.waiter {
            waiter.failed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Message;
    use hub_core::id::ApplianceId;
    use std::time::Duration;

    fn part(payloads: &[usize]) -> Part {
        let appliance = ApplianceId(1);
        let item = |length: &usize| Item {
            ingest: Ingest::Dropped { appliance, count: 0 },
            origin: Origin {
                appliance,
                message: Message::new(b"d/a/t", &vec![0; *length]),
                received_at: jiff::Timestamp::UNIX_EPOCH,
            },
            number: None,
            deadline: Instant::now() + Duration::from_secs(60),
            mark: None,
        };
        let items = payloads.iter().map(item).collect();
        let mut part = Part::default();
        let parcel = Parcel {
            waiter: None,
            items,
            can_wait: false,
        };
        part.push_parcel(parcel, 1);
        part
    }

    #[test]
    fn bytes_are_known_however_it_is_divided() {
        let mut left = part(&[1, 2, 4, 8]);
        let right = left.split_off(1);
        assert_eq!((left.bytes, right.bytes), (1, 14));
        left.append(right);
        assert_eq!(left.bytes, 15);
        let (fresh, suspects) = left.sort(&BrokerCounters::default());
        assert_eq!((fresh.bytes, suspects.bytes), (15, 0));
    }

    #[test]
    fn what_is_tried_again_is_bounded_too() {
        let sizes = |parts: Vec<Part>| parts.iter().map(|part| (part.len(), part.bytes)).collect::<Vec<_>>();
        assert_eq!(sizes(part(&[1; 5]).cut(2, 100)), [(2, 2), (2, 2), (1, 1)]);
        assert_eq!(sizes(part(&[3, 3, 3, 1]).cut(100, 6)), [(2, 6), (2, 4)]);
        assert_eq!(sizes(part(&[1; 5]).cut(5, 5)), [(5, 5)]);
        assert_eq!(sizes(part(&[]).cut(5, 5)), [(0, 0)]);
    }
}
