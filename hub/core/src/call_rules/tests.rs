//! Who may be rung when, and who no more.

use super::*;

fn facts() -> ContactFacts {
    ContactFacts {
        finding_open: true,
        probability: 0.95,
        released: true,
        approved: false,
        withheld: None,
        surges: false,
        ticket_open: true,
        owner_known: true,
        consent: Consent::Given,
        do_not_call: false,
        zone: Some(TimeZone::get("Asia/Shanghai").unwrap()),
        attempts: vec![],
        unrung: vec![],
        to_household: vec![],
        declined_elsewhere: false,
        unknown_elsewhere: false,
        in_call: false,
        requested_by_person: false,
        tried_since_asked: false,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// 10:00 in Shanghai.
fn morning() -> Timestamp {
    at("2026-03-02T02:00:00Z")
}

fn decided(change: impl FnOnce(&mut ContactFacts)) -> Decision {
    let mut facts = facts();
    change(&mut facts);
    decide(&CallRules::default(), &facts, morning())
}

#[test]
fn rings_only_when_everything_allows_it() {
    use HoldReason as H;
    assert_eq!(decided(|_| {}), Decision::Ring);
    let person = |change: fn(&mut ContactFacts)| match decided(change) {
        Decision::Person(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(person(|f| f.finding_open = false), H::FindingCleared);
    assert_eq!(person(|f| f.probability = 0.899), H::BelowGate);
    assert_eq!(person(|f| f.ticket_open = false), H::TicketSettled);
    assert_eq!(person(|f| f.owner_known = false), H::NoOwner);
    assert_eq!(person(|f| f.consent = Consent::Withdrawn), H::ConsentWithdrawn);
    assert_eq!(person(|f| f.consent = Consent::NeverGiven), H::NoConsent);
    assert_eq!(person(|f| f.do_not_call = true), H::DoNotCall);
    assert_eq!(person(|f| f.zone = None), H::NoTimeZone);
}

/// An approval waives that a prediction is not certain enough or not released yet, and nothing else. It is asked for last.
#[test]
fn an_approval_waives_the_gate_alone() {
    use HoldReason as H;
    type Change = fn(&mut ContactFacts);
    let waits: [(Change, Decision); 2] = [
        (|f| f.released = false, Decision::Person(H::ReadyToRing)),
        (|f| f.probability = 0.5, Decision::Person(H::BelowGate)),
    ];
    for (unapproved, expected) in waits {
        assert_eq!(decided(unapproved), expected);
        let approved = |change: Change| {
            decided(|f| {
                unapproved(f);
                f.approved = true;
                change(f);
            })
        };
        assert_eq!(approved(|_| {}), Decision::Ring);
        let held: [(Change, HoldReason); 7] = [
            (|f| f.finding_open = false, H::FindingCleared),
            (|f| f.consent = Consent::Withdrawn, H::ConsentWithdrawn),
            (|f| f.do_not_call = true, H::DoNotCall),
            (|f| f.owner_known = false, H::NoOwner),
            (|f| f.declined_elsewhere = true, H::Declined),
            (
                |f| f.attempts = vec![(at("2026-03-01T02:00:00Z"), Some(CallResult::NoAnswer)); 3],
                H::AttemptsUsedUp,
            ),
            (
                |f| f.attempts = vec![(at("2026-03-01T02:00:00Z"), Some(CallResult::Answered))],
                H::Reached,
            ),
        ];
        for (change, reason) in held {
            assert_eq!(approved(change), Decision::Person(reason));
            let asked_about = decided(|f| {
                unapproved(f);
                change(f);
            });
            assert_eq!(asked_about, Decision::Person(reason), "nobody is asked in vain");
        }
        let at_night = approved(|f| f.zone = Some(TimeZone::get("Europe/Berlin").unwrap()));
        let opening = at("2026-03-02T08:00:00Z");
        assert!(matches!(at_night, Decision::Wait { until, reason: H::QuietHours } if until == opening));
        let often = approved(|f| f.to_household = vec![morning() - SignedDuration::from_hours(2); 2]);
        assert!(matches!(often, Decision::Wait { reason: H::PerDay, .. }));
        let asked = decided(|f| {
            unapproved(f);
            f.requested_by_person = true;
        });
        assert_eq!(asked, Decision::Ring, "who asks for the call needs no approval");
    }
}

/// It is asked about last, so that what else holds a call stands on its ticket; an approval does not waive it, a person's wish does.
#[test]
fn a_surge_holds_only_what_would_go_out() {
    use HoldReason as H;
    type Change = fn(&mut ContactFacts);
    let surging = |change: Change| {
        decided(|f| {
            f.surges = true;
            change(f);
        })
    };
    let cases: [(Change, HoldReason); 7] = [
        (|_| {}, H::Surge),
        (|f| f.released = false, H::ReadyToRing),
        (|f| f.probability = 0.5, H::BelowGate),
        (|f| f.withheld = Some(H::NoCallLevel), H::NoCallLevel),
        (|f| f.finding_open = false, H::FindingCleared),
        (
            |f| {
                f.released = false;
                f.approved = true;
            },
            H::Surge,
        ),
        (
            |f| {
                f.withheld = Some(H::BelowCallLevel);
                f.approved = true;
            },
            H::Surge,
        ),
    ];
    for (change, reason) in cases {
        assert_eq!(surging(change), Decision::Person(reason));
    }
    assert_eq!(surging(|f| f.requested_by_person = true), Decision::Ring);
}

#[test]
fn a_person_may_ask_but_never_against_the_owners_word_or_the_night() {
    let asked = |change: fn(&mut ContactFacts)| {
        decided(|f| {
            f.requested_by_person = true;
            f.probability = 0.1;
            f.attempts = vec![(morning(), Some(CallResult::Unknown)); 5];
            f.to_household = vec![morning(); 5];
            change(f);
        })
    };
    assert_eq!(asked(|_| {}), Decision::Ring);
    assert_eq!(
        asked(|f| f.consent = Consent::Withdrawn),
        Decision::Person(HoldReason::ConsentWithdrawn)
    );
    assert_eq!(asked(|f| f.do_not_call = true), Decision::Person(HoldReason::DoNotCall));
    // In Honolulu it is 16:00 of the day before, in Los Angeles 18:00, in Berlin 03:00.
    let berlin = asked(|f| f.zone = Some(TimeZone::get("Europe/Berlin").unwrap()));
    assert_eq!(
        berlin,
        Decision::Wait {
            until: at("2026-03-02T08:00:00Z"),
            reason: HoldReason::QuietHours
        }
    );
}

#[test]
fn each_cause_has_its_pause_and_its_end() {
    let after = |result, minutes_ago| {
        decided(|f| {
            f.attempts = vec![(morning() - SignedDuration::from_mins(minutes_ago), Some(result))];
        })
    };
    let wait = |minutes| Decision::Wait {
        until: morning() + SignedDuration::from_mins(minutes),
        reason: HoldReason::Gap,
    };
    assert_eq!(after(CallResult::Busy, 4), wait(6));
    assert_eq!(after(CallResult::Busy, 10), Decision::Ring);
    assert_eq!(after(CallResult::NoAnswer, 10), wait(170));
    assert_eq!(after(CallResult::NoAudio, 10), wait(170));
    assert_eq!(after(CallResult::NoAudio, 180), Decision::Ring);
    assert_eq!(
        after(CallResult::Declined, 9_999),
        Decision::Person(HoldReason::Declined)
    );
    assert_eq!(
        after(CallResult::Unknown, 9_999),
        Decision::Person(HoldReason::UnknownAttempt)
    );
    assert_eq!(
        after(CallResult::InvalidNumber, 9_999),
        Decision::Person(HoldReason::InvalidNumber)
    );
    assert_eq!(after(CallResult::HungUpEarly, 10), wait(170));
    assert_eq!(after(CallResult::HungUpEarly, 180), Decision::Ring);
    assert_eq!(
        after(CallResult::Answered, 9_999),
        Decision::Person(HoldReason::Reached)
    );
    let three = decided(|f| f.attempts = vec![(at("2026-03-01T02:00:00Z"), Some(CallResult::NoAnswer)); 3]);
    assert_eq!(three, Decision::Person(HoldReason::AttemptsUsedUp));
}

#[test]
fn what_stopped_the_calls_outlives_a_call_that_a_person_asked_for() {
    use CallResult as C;
    let stopped = [
        (C::Declined, HoldReason::Declined),
        (C::Unknown, HoldReason::UnknownAttempt),
        (C::InvalidNumber, HoldReason::InvalidNumber),
        (C::Answered, HoldReason::Reached),
    ];
    let long_ago = morning() - SignedDuration::from_hours(20);
    for (result, reason) in stopped {
        for later in [C::NoAnswer, C::Busy, C::NoAudio, C::NetworkFailure] {
            let again = |asked| {
                decided(|f| {
                    f.attempts = vec![(long_ago, Some(result)), (long_ago, Some(later))];
                    f.requested_by_person = asked;
                })
            };
            assert_eq!(again(false), Decision::Person(reason));
            assert_eq!(again(true), Decision::Ring);
        }
    }
}

/// Each call that rang nobody doubles the pause to the next, up to the gap, and at last a person looks. None uses up a place.
#[test]
fn calls_that_rang_nobody_are_fewer_and_fewer_and_use_up_no_place() {
    use CallResult as C;
    let after = |results: &[C], minutes: i64| {
        decided(|f| {
            f.unrung = results
                .iter()
                .map(|result| (morning() - SignedDuration::from_mins(minutes), *result))
                .collect()
        })
    };
    let pause = |results: &[C]| match after(results, 0) {
        Decision::Wait { until, reason } => {
            assert_eq!(reason, HoldReason::Gap);
            until.duration_since(morning()).as_mins()
        }
        other => panic!("{other:?}"),
    };
    for result in [C::NetworkFailure, C::TrunkRefused, C::NotPlaced] {
        let pauses = [1, 2, 3, 4, 5, 6, UNRUNG_MAX - 1].map(|count| pause(&vec![result; count]));
        assert_eq!(pauses, [10, 20, 40, 80, 160, 180, 180], "{result:?}");
        assert_eq!(after(&[result; 3], 40), Decision::Ring);
    }
    assert_eq!(pause(&[C::ExchangeDeclined]), 180);
    assert_eq!(after(&[C::ExchangeDeclined], 180), Decision::Ring);
    for (last, reason) in [
        (C::NetworkFailure, HoldReason::NeverRang),
        (C::ExchangeDeclined, HoldReason::NeverRang),
        (C::NotPlaced, HoldReason::NeverRang),
        (C::TrunkRefused, HoldReason::TrunkRefused),
    ] {
        assert_eq!(after(&[last; UNRUNG_MAX], 9_999), Decision::Person(reason));
    }
    let asked = decided(|f| {
        f.unrung = vec![(morning(), C::TrunkRefused); UNRUNG_MAX];
        f.requested_by_person = true;
    });
    assert_eq!(asked, Decision::Ring);
}

/// A person's wish waives what was before it. What fails after it has its pause and its end as any call has.
#[test]
fn a_call_that_a_person_asked_for_is_not_tried_without_end() {
    let tried = |failed, minutes| {
        decided(|f| {
            f.probability = 0.1;
            f.unrung = vec![
                (
                    morning() - SignedDuration::from_mins(minutes),
                    CallResult::NetworkFailure
                );
                failed
            ];
            f.requested_by_person = true;
            f.tried_since_asked = true;
        })
    };
    let wait = |minutes| Decision::Wait {
        until: morning() + SignedDuration::from_mins(minutes),
        reason: HoldReason::Gap,
    };
    assert_eq!(tried(1, 0), wait(10));
    assert_eq!(tried(3, 10), wait(30));
    assert_eq!(tried(3, 40), Decision::Ring, "below the gate, as the person wished");
    assert_eq!(tried(UNRUNG_MAX - 1, 180), Decision::Ring);
    assert_eq!(tried(UNRUNG_MAX, 9_999), Decision::Person(HoldReason::NeverRang));
}

#[test]
fn what_the_owner_said_for_another_ticket_counts() {
    assert_eq!(
        decided(|f| f.declined_elsewhere = true),
        Decision::Person(HoldReason::Declined)
    );
    assert_eq!(
        decided(|f| f.unknown_elsewhere = true),
        Decision::Person(HoldReason::UnknownAttempt)
    );
    let asked = decided(|f| {
        f.declined_elsewhere = true;
        f.requested_by_person = true;
    });
    assert_eq!(asked, Decision::Ring);
}

#[test]
fn two_calls_a_day_to_one_person_over_all_tickets() {
    let held = decided(|f| {
        f.to_household = vec![
            at("2026-03-01T03:00:00Z"),
            at("2026-03-01T09:00:00Z"),
            at("2026-02-27T09:00:00Z"),
        ]
    });
    assert_eq!(
        held,
        Decision::Wait {
            until: at("2026-03-02T03:00:00Z"),
            reason: HoldReason::PerDay
        }
    );
}

#[test]
fn the_morning_after_the_clocks_change_starts_at_nine() {
    // Berlin, night to 29 March 2026: summer time begins, 09:00 is 07:00 UTC instead of 08:00.
    let mut facts = facts();
    facts.zone = Some(TimeZone::get("Europe/Berlin").unwrap());
    let decision = decide(&CallRules::default(), &facts, at("2026-03-28T20:00:00Z"));
    assert_eq!(
        decision,
        Decision::Wait {
            until: at("2026-03-29T07:00:00Z"),
            reason: HoldReason::QuietHours
        }
    );
}
