use super::*;
use hub_core::appointment::{AppointmentEvent, CancelledBy};
use hub_core::call_result::{CallResult, Disposition};

/// Every event has its sentence: a new one does not compile in `story`, a text that is missing fails here.
#[test]
fn every_event_is_told_in_both_languages() {
    use TicketEvent as E;
    let cancelled = |reason: &str| AppointmentEvent::Cancelled {
        by: CancelledBy::Closing,
        reason: reason.into(),
    };
    let view = sample::booked();
    let attempt = view.attempts[0].id;
    let slot = view.next_slot.unwrap();
    let chose = |disposition| E::Chose {
        attempt,
        disposition,
        slot: None,
        service_point: None,
        rings_by: None,
    };
    let until = sample::at("12:00");
    let mut events = vec![
        E::FindingGrew {
            fault_class: "drum_bearing".into(),
            probability: 0.97,
            severity: hub_core::prediction::Severity::Major,
        },
        E::FindingCleared,
        E::Waits {
            until,
            reason: HoldReason::QuietHours,
        },
        E::Held {
            reason: HoldReason::Reached,
        },
        E::AttemptStarted { attempt, inbound: true },
        E::AttemptEnded {
            attempt,
            inbound: false,
            result: CallResult::Busy,
            disposition: None,
            contact_due: until,
        },
        E::Reported {
            kind: TicketKind::Complaint,
            note: "n".into(),
        },
        E::Taken,
        E::StatusSet { label: "gone".into() },
        E::Noted { text: "n".into() },
        E::Promised {
            what: "w".into(),
            to: "t".into(),
            by: until,
        },
        E::PromiseKept {
            by: None,
            of_call: None,
        },
        E::PromiseKept {
            by: None,
            of_call: Some(true),
        },
        E::PromiseReleased {
            reason: "r".into(),
            by: None,
            of_call: Some(false),
        },
        E::PromiseReleased {
            reason: "r".into(),
            by: None,
            of_call: None,
        },
        E::PromiseReleased {
            reason: String::new(),
            by: None,
            of_call: None,
        },
        E::Corrected {
            outcome: samples()[3].ticket.outcome.clone().unwrap(),
            reason: "r".into(),
        },
        E::RangIn,
        E::NamedByCaller { rings_by: until },
        E::Chose {
            attempt,
            disposition: Disposition::PersonWanted,
            slot: None,
            service_point: None,
            rings_by: Some(until),
        },
        E::CallRequested,
        E::CallApproved,
        E::CallRefused { reason: "r".into() },
        E::Visit(AppointmentEvent::Confirmed),
        E::Visit(AppointmentEvent::Moved { slot }),
        E::Visit(cancelled("")),
        E::Visit(cancelled("on holiday")),
        E::Visit(AppointmentEvent::EnRoute),
        E::Visit(AppointmentEvent::Done),
        E::Visit(AppointmentEvent::NoShow),
        E::Booked {
            slot,
            service_point: "elsewhere".into(),
        },
    ];
    events.extend(
        [
            Disposition::AnotherTime,
            Disposition::PersonWanted,
            Disposition::DoNotCall,
        ]
        .map(chose),
    );
    for language in Language::ALL {
        let reader = reader(language);
        for event in &events {
            let entry = hub_store::ticket::TimelineEntry {
                at: until,
                actor: "admin".into(),
                event: event.clone(),
            };
            let told = story::sentence(&reader, &view, &[], &entry);
            assert!(!told.contains('\u{27e6}') && !told.is_empty(), "{event:?}: {told}");
        }
    }
}

/// Of two promises for one time, the line says which is over.
#[test]
fn the_promise_that_is_over_is_told_by_what_was_promised() {
    let view = sample::booked();
    let by = sample::at("12:00");
    let line = |event| hub_store::ticket::TimelineEntry {
        at: by,
        actor: "admin".into(),
        event,
    };
    let before = [line(TicketEvent::Promised {
        what: "A new pump".into(),
        to: "Chen Jing".into(),
        by,
    })];
    let kept = |of_call| TicketEvent::PromiseKept { by: Some(by), of_call };
    let released = TicketEvent::PromiseReleased {
        reason: "spoken with".into(),
        by: Some(by),
        of_call: Some(false),
    };
    for (event, before, told) in [
        (
            kept(Some(true)),
            &before[..],
            "The promise was kept: A person rings the owner.",
        ),
        (
            kept(Some(false)),
            &before[..],
            "The promise was kept: A new pump (Chen Jing).",
        ),
        (
            kept(Some(false)),
            &before[..0],
            "The promise was kept: what a colleague promised.",
        ),
        (kept(None), &before[..], "The promise was kept."),
        (
            released,
            &before[..],
            "The promise need not be kept (A new pump (Chen Jing)): spoken with",
        ),
    ] {
        let english = reader(Language::En);
        let sentence = story::sentence(&english, &view, before, &line(event));
        assert_eq!(sentence.replace(['\u{2068}', '\u{2069}'], ""), told);
    }
}
