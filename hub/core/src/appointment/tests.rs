use super::*;
use expect_test::expect;
use jiff::SignedDuration;
use uuid::Uuid;

fn now() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

/// A slot that begins so many hours from now, and lasts three.
fn slot(hours: i64) -> Slot {
    let start = now() + SignedDuration::from_hours(hours);
    Slot {
        start,
        end: start + SignedDuration::from_hours(3),
    }
}

/// A visit in this state, within a slot that begins so many hours from now.
pub(crate) fn visit(state: AppointmentState, hours: i64) -> Appointment {
    Appointment {
        id: AppointmentId(Uuid::from_u128(11)),
        tenant: TenantId::new("acme").unwrap(),
        ticket: TicketId(Uuid::from_u128(10)),
        state,
        slot: slot(hours),
        service_point: "pudong".into(),
        agreed_by: "li".into(),
        made_at: now() - SignedDuration::from_hours(48),
        changed_at: now() - SignedDuration::from_hours(48),
    }
}

fn cancelled(reason: &str) -> AppointmentEvent {
    AppointmentEvent::Cancelled {
        by: CancelledBy::Owner,
        reason: reason.to_owned(),
    }
}

/// Every state against every event, as a table that a reviewer reads as the policy. The slot has begun an hour ago.
#[test]
fn state_by_event() {
    use AppointmentEvent as E;
    let events = [
        E::Confirmed,
        E::Moved { slot: slot(24) },
        cancelled("on holiday"),
        E::EnRoute,
        E::Done,
        E::NoShow,
    ];
    let mut table = String::new();
    for state in AppointmentState::VARIANTS {
        for event in &events {
            let line = match visit(*state, -1).apply(event, "wu", now()) {
                Ok(after) => {
                    assert_eq!(after.changed_at, now());
                    format!("{:?} by {}", after.state, after.agreed_by)
                }
                Err(error) => format!("refused: {error}"),
            };
            table.push_str(&format!("{state:?} + {} -> {line}\n", event.name()));
        }
    }
    expect![[r#"
        Proposed + confirmed -> Confirmed by wu
        Proposed + moved -> Moved by wu
        Proposed + cancelled -> Cancelled by li
        Proposed + en_route -> refused: the owner has not confirmed the visit yet: en_route is impossible; confirm it first
        Proposed + done -> refused: the owner has not confirmed the visit yet: done is impossible; confirm it first
        Proposed + no_show -> refused: the owner has not confirmed the visit yet: no_show is impossible; confirm it first
        Confirmed + confirmed -> refused: the visit is confirmed already
        Confirmed + moved -> Moved by wu
        Confirmed + cancelled -> Cancelled by li
        Confirmed + en_route -> EnRoute by li
        Confirmed + done -> Done by li
        Confirmed + no_show -> NoShow by li
        Moved + confirmed -> refused: the visit is moved already
        Moved + moved -> Moved by wu
        Moved + cancelled -> Cancelled by li
        Moved + en_route -> EnRoute by li
        Moved + done -> Done by li
        Moved + no_show -> NoShow by li
        Cancelled + confirmed -> refused: the visit is over (cancelled): confirmed is impossible; agree another visit
        Cancelled + moved -> refused: the visit is over (cancelled): moved is impossible; agree another visit
        Cancelled + cancelled -> refused: the visit is over (cancelled): cancelled is impossible; agree another visit
        Cancelled + en_route -> refused: the visit is over (cancelled): en_route is impossible; agree another visit
        Cancelled + done -> refused: the visit is over (cancelled): done is impossible; agree another visit
        Cancelled + no_show -> refused: the visit is over (cancelled): no_show is impossible; agree another visit
        EnRoute + confirmed -> refused: the visit is en_route already
        EnRoute + moved -> Moved by wu
        EnRoute + cancelled -> Cancelled by li
        EnRoute + en_route -> refused: the visit is en_route already
        EnRoute + done -> Done by li
        EnRoute + no_show -> NoShow by li
        Done + confirmed -> refused: the visit is over (done): confirmed is impossible; agree another visit
        Done + moved -> refused: the visit is over (done): moved is impossible; agree another visit
        Done + cancelled -> refused: the visit is over (done): cancelled is impossible; agree another visit
        Done + en_route -> refused: the visit is over (done): en_route is impossible; agree another visit
        Done + done -> refused: the visit is over (done): done is impossible; agree another visit
        Done + no_show -> refused: the visit is over (done): no_show is impossible; agree another visit
        NoShow + confirmed -> refused: the visit is over (no_show): confirmed is impossible; agree another visit
        NoShow + moved -> refused: the visit is over (no_show): moved is impossible; agree another visit
        NoShow + cancelled -> refused: the visit is over (no_show): cancelled is impossible; agree another visit
        NoShow + en_route -> refused: the visit is over (no_show): en_route is impossible; agree another visit
        NoShow + done -> refused: the visit is over (no_show): done is impossible; agree another visit
        NoShow + no_show -> refused: the visit is over (no_show): no_show is impossible; agree another visit
    "#]].assert_eq(&table);
}

#[test]
fn a_slot_that_has_passed_and_one_that_has_not_begun() {
    let ahead = visit(AppointmentState::Confirmed, 24);
    let early = ahead.clone().apply(&AppointmentEvent::NoShow, "wu", now());
    assert_eq!(early, Err(AppointmentError::NotBegun(slot(24).start)));
    let there_already = ahead.clone().apply(&AppointmentEvent::Done, "wu", now()).unwrap();
    assert_eq!(there_already.state, AppointmentState::Done);
    let back = AppointmentEvent::Moved { slot: slot(-3) };
    assert_eq!(
        ahead.clone().apply(&back, "wu", now()),
        Err(AppointmentError::Passed(now()))
    );
    let long_over = visit(AppointmentState::Confirmed, -100);
    assert!(long_over.state.stands(), "until a person says what happened");
    let reason = cancelled(&"x".repeat(REASON_LEN_MAX + 1));
    assert_eq!(
        ahead.apply(&reason, "wu", now()),
        Err(AppointmentError::ReasonTooLong(REASON_LEN_MAX + 1))
    );
}

#[test]
fn what_is_agreed_while_a_visit_stands_moves_it_and_otherwise_is_another_one() {
    let agreement = |hours, service_point| Agreement {
        slot: slot(hours),
        service_point,
        by: "owner_by_phone",
    };
    let (acme, ticket) = (TenantId::new("acme").unwrap(), TicketId(Uuid::from_u128(10)));
    let agree = |last, agreement| Appointment::agree(last, &acme, ticket, agreement, now());
    let first = agree(None, agreement(24, "pudong"));
    assert_eq!(
        (first.id.0.as_u128(), first.state, first.made_at),
        (11, AppointmentState::Confirmed, now())
    );
    assert_eq!(agree(Some(first.clone()), agreement(24, "pudong")), first, "said again");
    for (hours, point) in [(48, "pudong"), (24, "minhang")] {
        let moved = agree(Some(first.clone()), agreement(hours, point));
        assert_eq!(
            (moved.id, moved.state, moved.slot, moved.service_point.as_str()),
            (first.id, AppointmentState::Moved, slot(hours), point)
        );
    }
    let proposed = visit(AppointmentState::Proposed, 24);
    let heard = agree(Some(proposed), agreement(24, "pudong"));
    assert_eq!(
        (heard.state, heard.agreed_by.as_str()),
        (AppointmentState::Confirmed, "owner_by_phone")
    );
    for over in [
        AppointmentState::Cancelled,
        AppointmentState::Done,
        AppointmentState::NoShow,
    ] {
        let another = agree(Some(visit(over, 24)), agreement(24, "pudong"));
        assert_eq!(
            (another.id.0.as_u128(), another.state),
            (12, AppointmentState::Confirmed)
        );
    }
}

#[test]
fn a_state_is_stored_by_its_name() {
    for state in AppointmentState::VARIANTS {
        assert_eq!(serde_json::to_value(state).unwrap(), state.name());
    }
    let standing: Vec<_> = AppointmentState::standing().map(AppointmentState::name).collect();
    assert_eq!(standing, ["proposed", "confirmed", "moved", "en_route"]);
}
