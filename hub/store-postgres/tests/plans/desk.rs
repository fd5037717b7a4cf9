//! From an alarm to a ticket, a call, a visit and the end.

use crate::load::{DEVICES, Load};
use hub_core::actor::Actor;
use hub_core::appointment::AppointmentEvent;
use hub_core::call_result::CallResult;
use hub_core::call_rules::HoldReason;
use hub_core::contact::AttemptEvent;
use hub_core::id::TenantId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::prediction::UNKNOWN_FAULT;
use hub_core::situation::Observation;
use hub_core::ticket::TicketEvent;
use hub_store::appointment::{AppointmentFilter, AppointmentStore};
use hub_store::conformance::scene::{alarm, appliance};
use hub_store::contact::{Begun, ContactStore};
use hub_store::prediction::{PredictionStore, ScoringCommit};
use hub_store::ticket::{TicketFilter, TicketStore};
use jiff::SignedDuration;

impl Load<'_> {
    /// What names no part is ready to ring, and a person refuses it.
    async fn review(&self) {
        let (store, now, hub) = (self.store, self.now, Actor::hub("test"));
        let washer = appliance(store, "acme", "wm-2").await;
        let commit = ScoringCommit {
            observations: vec![alarm(washer, UNKNOWN_FAULT, 0.95)],
            ..ScoringCommit::default()
        };
        let opened = store.commit_scoring(&commit, now).await.unwrap()[0].opened;
        let ticket = opened.expect("a ticket");
        let random = [u8::try_from(100 + self.number).unwrap(); 20];
        let begun = store.begin_attempt(ticket, now, random).await.unwrap();
        assert_eq!(begun, Begun::Held(HoldReason::ReadyToRing));
        let ready = TicketFilter {
            ready_to_ring: true,
            ..TicketFilter::default()
        };
        // Another tenant has many that have waited longer.
        let acme = Actor::hub("test").within(Some(TenantId::new("acme").unwrap()));
        let waiting = store.tickets(&acme, &ready, None, 8).await.unwrap().items;
        assert!(waiting.iter().any(|summary| summary.ticket.id == ticket));
        let refused = TicketEvent::CallRefused {
            reason: "a filter was cleaned".to_owned(),
        };
        let closed = TicketEvent::Closed {
            outcome: Outcome {
                resolution: Resolution::Unreachable,
                verdict: Verdict::NotChecked,
                note: String::new(),
                part: None,
            },
        };
        let cleared = ScoringCommit {
            observations: vec![Observation::Clear { appliance: washer }],
            ..ScoringCommit::default()
        };
        store.apply_ticket(&hub, ticket, &refused, now).await.unwrap();
        store.apply_ticket(&hub, ticket, &closed, now).await.unwrap();
        store.commit_scoring(&cleared, now).await.unwrap();
    }

    /// An alarm becomes a ticket, its owner is rung, the technician is on the way, and a person closes it.
    pub async fn desk(&self) {
        self.plans.step("desk", DEVICES);
        let (store, now, hub) = (self.store, self.now, Actor::hub("test"));
        let fault = format!("fault-{}", self.number);
        let washer = appliance(store, "acme", "wm-1").await;
        let commit = ScoringCommit {
            observations: vec![alarm(washer, &fault, 0.95)],
            ..ScoringCommit::default()
        };
        let opened = store.commit_scoring(&commit, now).await.unwrap()[0].opened;
        let ticket = opened.expect("a ticket");
        assert!(!store.contacts_due(&[], now, 8).await.unwrap().is_empty());
        let random = [u8::try_from(self.number).unwrap(); 20];
        let mut begun = store.begin_attempt(ticket, now, random).await.unwrap();
        if begun == Begun::Held(HoldReason::NoCallLevel) {
            let approved = TicketEvent::CallApproved;
            store.apply_ticket(&hub, ticket, &approved, now).await.unwrap();
            begun = store.begin_attempt(ticket, now, random).await.unwrap();
        }
        let Begun::Ring(order) = begun else {
            panic!("nobody is rung");
        };
        let ended = AttemptEvent::Ended {
            result: CallResult::NoAnswer,
            detail: serde_json::json!({}),
        };
        for event in [AttemptEvent::Ringing, ended] {
            store.apply_attempt(order.attempt.id, event, now).await.unwrap();
        }
        let view = store.ticket(&hub, ticket, now).await.unwrap();
        assert_eq!(view.attempts.len(), 1);
        self.review().await;
        let closed = TicketEvent::Closed {
            outcome: Outcome {
                resolution: Resolution::FalseAlarm,
                verdict: Verdict::Wrong,
                note: String::new(),
                part: None,
            },
        };
        let booked = TicketEvent::Booked {
            slot: view.next_slot.expect("a slot"),
            service_point: "pudong".to_owned(),
        };
        for event in [
            TicketEvent::Taken,
            booked,
            TicketEvent::Visit(AppointmentEvent::EnRoute),
        ] {
            store.apply_ticket(&hub, ticket, &event, now).await.unwrap();
        }
        let filter = AppointmentFilter {
            from: now,
            until: now + SignedDuration::from_hours(14 * 24),
            service_point: None,
        };
        assert!(
            !store
                .appointments(&hub, &filter, None, 8)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        store.apply_ticket(&hub, ticket, &closed, now).await.unwrap();
    }
}
