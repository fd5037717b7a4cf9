//! The situations that tests begin with, and how they are told.

mod baseline;
mod call;
mod caller;
mod dial;
mod levels;
mod observe;
mod once;
mod release;
mod take_back;

use super::*;
use crate::finding::tests::{finding, prediction};
use crate::id::TraceId;
use crate::outcome::{Outcome, Resolution, Verdict};
use crate::prediction::Severity;
use crate::release::Tally;
use crate::ticket::TicketEvent;
use std::fmt::Write;
use uuid::Uuid;

/// 10:00 in Shanghai.
fn morning() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

/// So many were right that calls about it need no approval.
fn released() -> Tally {
    Tally {
        right: 21,
        ..Tally::default()
    }
}

fn nothing() -> Situation {
    Situation {
        appliance: ApplianceId(1),
        site: None,
        tenant: TenantId::new("acme").unwrap(),
        rules: CallRules::default(),
        gates: BTreeMap::new(),
        labels: TicketLabels::default(),
        restarted: false,
        findings: vec![],
        quiet: vec![],
        tickets: vec![],
        attempts: vec![],
    }
}

fn alarm(class: &str, probability: f32, severity: Severity) -> Observation {
    let mut said = prediction(class, probability);
    said.severity = severity;
    Observation::Alarm {
        appliance: ApplianceId(1),
        prediction: Box::new(said),
        evidence: finding(1, class).evidence,
        trace: TraceId(Uuid::from_u128(1)),
    }
}

const CLEAR: Observation = Observation::Clear {
    appliance: ApplianceId(1),
};

/// A situation that lives on, with ids that count up.
struct Unit {
    situation: Situation,
    ids: u8,
    now: Timestamp,
}

impl Unit {
    fn new() -> Self {
        Self {
            situation: nothing(),
            ids: 0,
            now: morning(),
        }
    }

    fn with_ids<T>(&mut self, make: impl FnOnce(&mut Situation, &mut Ids<'_>, &mut Changes) -> T) -> (T, Changes) {
        let (mut changes, mut next) = (Changes::default(), self.ids);
        let made = make(
            &mut self.situation,
            &mut Ids(&mut || {
                next += 1;
                [next; 10]
            }),
            &mut changes,
        );
        self.ids = next;
        (made, changes)
    }

    fn sees(&mut self, seen: Observation) -> Changes {
        let now = self.now;
        let (told, changes) = self.with_ids(|situation, ids, changes| situation.observe(&seen, ids, now, changes));
        told.unwrap();
        changes
    }

    fn act(&mut self, ticket: usize, event: &TicketEvent) -> Changes {
        let mut changes = Changes::default();
        let id = self.situation.tickets[ticket].id;
        self.situation.act(id, event, "lena", self.now, &mut changes).unwrap();
        changes
    }

    fn close(&mut self, ticket: usize, resolution: Resolution, verdict: Verdict) -> Changes {
        self.act(ticket, &closed(resolution, verdict))
    }
}

fn closed(resolution: Resolution, verdict: Verdict) -> TicketEvent {
    TicketEvent::Closed {
        outcome: Outcome {
            resolution,
            verdict,
            note: String::new(),
            part: None,
        },
    }
}

/// The same for a table.
fn heard(changes: &Changes) -> String {
    match told(changes).join(", ") {
        kinds if kinds.is_empty() => "nothing is told".to_owned(),
        kinds => kinds,
    }
}

/// What was told, in order.
fn told(changes: &Changes) -> Vec<&str> {
    changes.told.iter().map(|told| told.kind.as_str()).collect()
}

/// What stands, for a table.
fn stands(situation: &Situation) -> String {
    let mut text = String::new();
    for finding in &situation.findings {
        let ticket = if finding.ticket.is_some() { " with ticket" } else { "" };
        write!(
            text,
            " {:?} {} x{}{ticket};",
            finding.state, finding.fault_class, finding.count
        )
        .unwrap();
    }
    for ticket in &situation.tickets {
        let fault = ticket.fault.as_ref().map_or("no fault", |fault| &fault.fault_class);
        let (category, phase) = (ticket.status.category, ticket.contact.phase);
        write!(text, " ticket {category:?}/{phase:?} {fault}").unwrap();
        if let Some(held) = ticket.contact.reason {
            write!(text, " held {held:?}").unwrap();
        }
        text.push(';');
    }
    text
}
