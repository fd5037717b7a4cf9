//! Findings (隐患): one open finding for one fault of one appliance, however often a model says it.

use crate::id::{ApplianceId, FindingId, TenantId, TicketId, TraceId};
use crate::prediction::{Evidence, FaultPrediction, UNKNOWN_FAULT};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Whether the deviation is still there.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FindingState {
    /// The deviation was there when last looked at.
    Open,
    /// The readings came back to the baseline, the baseline was restarted, or a person judged that there is no fault.
    Cleared,
}

impl FindingState {
    /// Its word, as it is stored and told.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A fault seen in the readings of one appliance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the finding.
    pub id: FindingId,
    /// Tenant that owns the finding.
    pub tenant: TenantId,
    /// The appliance.
    pub appliance: ApplianceId,
    /// Word of the model's list, or `unknown_fault` until a class is named.
    pub fault_class: String,
    /// Open or cleared.
    pub state: FindingState,
    /// Event time of the reading that raised it: the first alarm.
    pub alarm_at: Timestamp,
    /// When the hub first recorded it (civil time).
    pub first_seen: Timestamp,
    /// When the hub last recorded it.
    pub last_seen: Timestamp,
    /// How many predictions it has gathered.
    pub count: u32,
    /// The most certain prediction so far.
    pub prediction: FaultPrediction,
    /// Frozen at the most certain prediction.
    pub evidence: Evidence,
    /// The ticket that was opened for it; none while suppressed.
    pub ticket: Option<TicketId>,
    /// No ticket is opened before this: a person said false alarm a short while ago.
    pub suppressed_until: Option<Timestamp>,
    /// Score from which a ticket is opened for it, while its own is lower: such scores are frequent in this fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_from: Option<f64>,
    /// From the reading to the call.
    pub trace: TraceId,
}

/// After a person's false alarm the same fault opens no ticket for this long.
pub const COOL_DOWN: SignedDuration = SignedDuration::from_hours(72);

/// Where a prediction belongs among the open findings of its appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// It repeats this finding.
    Repeat(FindingId),
    /// It names what this finding saw as an unknown fault.
    Name(FindingId),
    /// It is a fault of its own.
    New,
}

/// Decides where a prediction belongs. An unknown fault beside any open finding is that finding's, so that one fault
/// whose class is named late, or not every time, stays one finding and one ticket.
pub fn place<'a>(mut open: impl Iterator<Item = &'a Finding> + Clone, fault_class: &str) -> Placement {
    if let Some(same) = open.clone().find(|f| f.fault_class == fault_class) {
        return Placement::Repeat(same.id);
    }
    if fault_class == UNKNOWN_FAULT {
        return open.next().map_or(Placement::New, |f| Placement::Repeat(f.id));
    }
    match open.find(|f| f.fault_class == UNKNOWN_FAULT) {
        Some(unknown) => Placement::Name(unknown.id),
        None => Placement::New,
    }
}

impl Finding {
    /// Takes in one more prediction. One that says more than those before, by its score or its probability, is kept with its evidence,
    /// within its bounds.
    #[must_use]
    pub fn observe(mut self, prediction: FaultPrediction, evidence: &Evidence, now: Timestamp) -> Self {
        self.count = self.count.saturating_add(1);
        self.last_seen = now;
        if self.fault_class == UNKNOWN_FAULT {
            self.fault_class.clone_from(&prediction.fault_class);
        }
        let named = prediction.fault_class == self.fault_class;
        let may_call_now = self.prediction.below_call_level && !prediction.below_call_level;
        let says_more = may_call_now
            || prediction.score > self.prediction.score
            || prediction.probability > self.prediction.probability;
        if named && (says_more || self.prediction.fault_class != self.fault_class) {
            self.prediction = prediction;
            self.evidence = evidence.clone().bounded();
        }
        self
    }

    /// Whether a ticket must be opened for it now.
    pub fn wants_ticket(&self, now: Timestamp) -> bool {
        self.state == FindingState::Open
            && self.ticket.is_none()
            && self.ticket_from.is_none()
            && self.suppressed_until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::prediction::Severity;
    use crate::release::Basis;
    use uuid::Uuid;

    pub(crate) fn prediction(fault_class: &str, probability: f32) -> FaultPrediction {
        FaultPrediction {
            fault_class: fault_class.into(),
            probability,
            verdicts: None,
            severity: Severity::Major,
            score: 1.5,
            model: "washing-machine/1".into(),
            model_hash: None,
            below_call_level: false,
            at: Timestamp::UNIX_EPOCH,
            since: Timestamp::UNIX_EPOCH,
            top: vec![],
            second_opinion: None,
            basis: Basis::default(),
        }
    }

    pub(crate) fn finding(n: u128, fault_class: &str) -> Finding {
        Finding {
            id: FindingId(Uuid::from_u128(n)),
            tenant: TenantId::new("acme").unwrap(),
            appliance: ApplianceId(1),
            fault_class: fault_class.into(),
            state: FindingState::Open,
            alarm_at: Timestamp::UNIX_EPOCH,
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            count: 1,
            prediction: prediction(fault_class, 0.5),
            evidence: Evidence {
                channels: vec![],
                points: vec![],
                anomalous_since: Timestamp::UNIX_EPOCH,
            },
            ticket: None,
            suppressed_until: None,
            ticket_from: None,
            trace: TraceId(Uuid::from_u128(n)),
        }
    }

    #[test]
    fn one_fault_stays_one_finding() {
        let pump = finding(1, "drain_pump_wear");
        assert_eq!(place([].iter(), "drain_pump_wear"), Placement::New);
        assert_eq!(
            place(std::iter::once(&pump), "drain_pump_wear"),
            Placement::Repeat(pump.id)
        );
        assert_eq!(place(std::iter::once(&pump), UNKNOWN_FAULT), Placement::Repeat(pump.id));
        assert_eq!(place(std::iter::once(&pump), "drum_bearing"), Placement::New);
        let unknown = finding(2, UNKNOWN_FAULT);
        assert_eq!(
            place(std::iter::once(&unknown), "drum_bearing"),
            Placement::Name(unknown.id)
        );
    }

    #[test]
    fn the_most_certain_prediction_is_kept() {
        let evidence = finding(1, UNKNOWN_FAULT).evidence;
        let at = Timestamp::from_second(9).unwrap();
        let named = finding(1, UNKNOWN_FAULT).observe(prediction("drum_bearing", 0.4), &evidence, at);
        assert_eq!(
            (named.fault_class.as_str(), named.prediction.probability, named.count),
            ("drum_bearing", 0.4, 2)
        );
        let less = named.clone().observe(prediction("drum_bearing", 0.3), &evidence, at);
        assert_eq!(less.prediction.probability, 0.4);
        let unnamed = less.observe(prediction(UNKNOWN_FAULT, 0.99), &evidence, at);
        assert_eq!(unnamed.prediction.fault_class, "drum_bearing");
    }

    #[test]
    fn a_level_for_calls_that_was_held_is_taken_in_with_the_same_score() {
        let (evidence, at) = (finding(1, "x").evidence, Timestamp::from_second(9).unwrap());
        let below = FaultPrediction {
            below_call_level: true,
            ..prediction("drum_bearing", 0.4)
        };
        let waiting = finding(1, UNKNOWN_FAULT).observe(below.clone(), &evidence, at);
        assert!(waiting.prediction.below_call_level);
        let held = waiting.observe(prediction("drum_bearing", 0.4), &evidence, at);
        assert!(!held.prediction.below_call_level);
        let later = held.observe(below, &evidence, at);
        assert!(!later.prediction.below_call_level, "it was held in this deviation");
    }

    #[test]
    fn a_false_alarm_keeps_quiet_for_a_while() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let quiet = Finding {
            suppressed_until: Some(now + COOL_DOWN),
            ..finding(1, "x")
        };
        assert!(!quiet.wants_ticket(now));
        assert!(quiet.wants_ticket(now + COOL_DOWN));
    }
}
