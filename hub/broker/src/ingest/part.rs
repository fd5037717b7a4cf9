//! Publishes on their way through the committer: whole batches, halves of them, single ones.

use super::{Item, Parcel, Settled};
use crate::counters::{BrokerCounters, add, subtract};
use crate::decode::Origin;
use crate::mailbox::Waiter;
use hub_store::telemetry::{Ingest, Ingested};
use tokio::time::Instant;

/// What is known of an item besides its content.
pub(super) struct Ticket {
    pub(super) origin: Origin,
    waiter: Option<Waiter>,
    number: Option<u64>,
    /// Tells parcels apart.
    parcel: u64,
    deadline: Instant,
    /// Commits seen when it last failed alone.
    pub(super) failed_at: Option<u64>,
    pub(super) strikes: u32,
}

#[derive(Default)]
pub(super) struct Part {
    pub(super) content: Vec<Ingest>,
    pub(super) tickets: Vec<Ticket>,
    /// Of the payloads.
    pub(super) bytes: u64,
}

impl Part {
    pub(super) fn push_parcel(&mut self, parcel: Parcel, number: u64) {
        let Parcel { waiter, items } = parcel;
        for item in items {
            self.bytes += item.bytes();
            let Item {
                ingest,
                origin,
                number: waits_for,
                deadline,
            } = item;
            let ticket = Ticket {
                origin,
                waiter: waiter.clone(),
                number: waits_for,
                parcel: number,
                deadline,
                failed_at: None,
                strikes: 0,
            };
            self.push(ingest, ticket);
        }
    }

    fn push(&mut self, ingest: Ingest, ticket: Ticket) {
        self.content.push(ingest);
        self.tickets.push(ticket);
    }

    pub(super) fn append(&mut self, mut other: Part) {
        self.content.append(&mut other.content);
        self.tickets.append(&mut other.tickets);
    }

    pub(super) fn split_off(&mut self, at: usize) -> Part {
        Part {
            content: self.content.split_off(at),
            tickets: self.tickets.split_off(at),
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Tells those who wait, each once for what it sent together.
    pub(super) fn answer(&self, outcome: &[Ingested], counters: &BrokerCounters) {
        self.count(outcome, counters);
        let mut at = 0;
        for tickets in self.tickets.chunk_by(|a, b| a.parcel == b.parcel) {
            let ingested = &outcome[at..at + tickets.len()];
            at += tickets.len();
            let Some(waiter) = tickets.first().and_then(|ticket| ticket.waiter.as_ref()) else {
                continue;
            };
            let settled = tickets.iter().zip(ingested).filter_map(|(ticket, outcome)| {
                let number = ticket.number?;
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
            self.tickets.iter().map(|t| t.origin.bytes()).sum(),
        );
    }

    /// Parts into items not known to be at fault and suspects, without what is given up.
    pub(super) fn sort(self, counters: &BrokerCounters) -> (Part, Part) {
        let (mut fresh, mut suspects) = (Part::default(), Part::default());
        let now = Instant::now();
        for (ingest, ticket) in self.content.into_iter().zip(self.tickets) {
            if ticket.is_over(now) {
                add(&counters.dropped, 1);
                subtract(&counters.queue_items, 1);
                subtract(&counters.queue_bytes, ticket.origin.bytes());
                if let Some(waiter) = ticket.waiter {
                    waiter.failed();
                }
            } else if ticket.strikes > 0 {
                suspects.push(ingest, ticket);
            } else {
                fresh.push(ingest, ticket);
            }
        }
        (fresh, suspects)
    }
}

impl Ticket {
    /// Its time has passed, or the device that waited has gone and sends it again.
    fn is_over(&self, now: Instant) -> bool {
        let gone = self.number.is_some() && self.waiter.as_ref().is_some_and(Waiter::is_gone);
        now >= self.deadline || gone
    }
}
