//! A wrong label is taken back, and what was learned from it.

use super::*;
use crate::finding::COOL_DOWN;
use expect_test::expect;
use jiff::SignedDuration;

type Label = (&'static str, Resolution, Verdict);

const LABELS: [Label; 3] = [
    ("repaired", Resolution::ConfirmedFixed, Verdict::Right),
    ("false alarm", Resolution::FalseAlarm, Verdict::Wrong),
    ("put off", Resolution::ConfirmedDeferred, Verdict::Right),
];

impl Unit {
    /// A minute later somebody says that it was something else.
    fn correct(&mut self, (_, resolution, verdict): Label) -> Changes {
        self.now += SignedDuration::from_mins(1);
        let TicketEvent::Closed { outcome } = closed(resolution, verdict) else {
            panic!("an end")
        };
        let reason = "the wrong line".to_owned();
        self.act(0, &TicketEvent::Corrected { outcome, reason })
    }

    /// With a fault and its ticket, closed like this, a minute later.
    fn labelled((_, resolution, verdict): Label) -> Self {
        let mut unit = Self::new();
        unit.sees(alarm("pump", 0.95, Severity::Major));
        unit.now += SignedDuration::from_mins(1);
        unit.close(0, resolution, verdict);
        unit.situation.restarted = false;
        unit
    }
}

fn quiet(unit: &Unit) -> &'static str {
    let is_quiet = unit
        .situation
        .findings
        .iter()
        .any(|finding| finding.suppressed_until.is_some());
    if is_quiet { " quiet" } else { "" }
}

/// Each label made another, while the fault is still seen and while it is not.
#[test]
fn each_label_made_another() {
    let mut table = String::new();
    for first in LABELS {
        for second in LABELS.iter().filter(|second| second.0 != first.0) {
            for is_seen in [false, true] {
                let mut unit = Unit::labelled(first);
                if is_seen {
                    unit.now += SignedDuration::from_mins(1);
                    unit.sees(alarm("pump", 0.95, Severity::Major));
                }
                let changes = unit.correct(*second);
                let seen = if is_seen { ", seen again" } else { "" };
                let anew = if changes.restarted.is_empty() {
                    ""
                } else {
                    " baseline anew"
                };
                let end = stands(&unit.situation);
                writeln!(table, "{}{seen} -> {}:{end}{}{anew}", first.0, second.0, quiet(&unit)).unwrap();
                writeln!(table, "    {}", heard(&changes)).unwrap();
            }
        }
    }
    expect![[r#"
        repaired -> false alarm: Cleared pump x1 with ticket; ticket Resolved/Done pump; quiet
            ticket.corrected, finding.opened, finding.cleared
        repaired, seen again -> false alarm: Cleared pump x1 with ticket; Open pump x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned pump; quiet
            ticket.corrected, finding.cleared
        repaired -> put off: Open pump x1 with ticket; ticket Resolved/Done pump;
            ticket.corrected, finding.opened
        repaired, seen again -> put off: Cleared pump x1 with ticket; Open pump x1 with ticket; ticket Resolved/Done pump; ticket Open/Planned pump;
            ticket.corrected
        false alarm -> repaired: Cleared pump x1 with ticket; ticket Resolved/Done pump; baseline anew
            ticket.corrected, finding.opened, finding.cleared
        false alarm, seen again -> repaired: Cleared pump x1 with ticket; Cleared pump x1 with ticket; ticket Resolved/Done pump; baseline anew
            ticket.corrected, finding.cleared
        false alarm -> put off: Open pump x1 with ticket; ticket Resolved/Done pump;
            ticket.corrected, finding.opened
        false alarm, seen again -> put off: Cleared pump x1 with ticket; Open pump x1 with ticket; ticket Resolved/Done pump;
            ticket.corrected
        put off -> repaired: Cleared pump x1 with ticket; ticket Resolved/Done pump; baseline anew
            ticket.corrected, finding.cleared
        put off, seen again -> repaired: Cleared pump x2 with ticket; ticket Resolved/Done pump; baseline anew
            ticket.corrected, finding.cleared
        put off -> false alarm: Cleared pump x1 with ticket; ticket Resolved/Done pump; quiet
            ticket.corrected, finding.cleared
        put off, seen again -> false alarm: Cleared pump x2 with ticket; ticket Resolved/Done pump; quiet
            ticket.corrected, finding.cleared
    "#]].assert_eq(&table);
}

/// Back and forth ends where it would have ended at once.
#[test]
fn the_last_label_counts() {
    for labels in [[0, 1, 2], [1, 0, 2], [2, 0, 1], [2, 1, 0], [0, 2, 1], [1, 2, 0]] {
        let mut unit = Unit::labelled(LABELS[labels[0]]);
        unit.correct(LABELS[labels[1]]);
        unit.correct(LABELS[labels[2]]);
        let once = Unit::labelled(LABELS[labels[2]]);
        assert_eq!(stands(&unit.situation), stands(&once.situation), "{labels:?}");
        assert_eq!(quiet(&unit), quiet(&once), "{labels:?}");
    }
}

/// What the readings themselves have ended is not opened by anybody's word.
#[test]
fn what_had_gone_before_the_label_stays_gone() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    unit.sees(CLEAR);
    unit.now += SignedDuration::from_mins(1);
    unit.close(0, Resolution::FalseAlarm, Verdict::Wrong);
    unit.correct(LABELS[2]);
    assert_eq!(unit.situation.findings[0].state, FindingState::Cleared);
    assert_eq!(unit.situation.findings[0].suppressed_until, None);
}

/// A false alarm that was none: the next alarm has its ticket at once. One that became a false alarm late keeps quiet from then on.
#[test]
fn the_quiet_time_is_the_labels() {
    let mut unit = Unit::labelled(LABELS[1]);
    unit.correct(LABELS[0]);
    unit.situation.restarted = false;
    let seen = unit.sees(alarm("pump", 0.95, Severity::Major));
    assert_eq!(told(&seen), ["finding.opened", "ticket.opened"]);
    let mut unit = Unit::labelled(LABELS[2]);
    unit.correct(LABELS[1]);
    let until = unit.situation.findings[0].suppressed_until;
    assert_eq!(until, Some(unit.now + COOL_DOWN));
}
