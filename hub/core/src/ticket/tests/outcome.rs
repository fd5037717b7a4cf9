//! What the outcome of a ticket settles.

use super::*;

#[test]
fn only_a_repair_or_a_persons_no_settles_a_finding() {
    let settled = |resolution, verdict| {
        let outcome = Outcome {
            resolution,
            verdict,
            note: String::new(),
            part: None,
        };
        let (_, actions) = ticket(Stands::Held)
            .apply(&TicketEvent::Closed { outcome }, "li", &declared(), now())
            .unwrap();
        settlement(&actions)
    };
    use {Resolution as R, Settlement as S, Verdict as V};
    for (resolution, verdict, settlement) in [
        (R::ConfirmedFixed, V::Right, S::Repaired),
        (R::ConfirmedRemoteFix, V::OtherFault, S::Repaired),
        (R::ConfirmedDeferred, V::Right, S::LeftAsItIs),
        (R::CustomerDeclined, V::NotChecked, S::LeftAsItIs),
        (R::Unreachable, V::NotChecked, S::LeftAsItIs),
        (R::NoFaultFound, V::Wrong, S::FalseAlarm),
        (R::FalseAlarm, V::Wrong, S::FalseAlarm),
    ] {
        assert_eq!(settled(resolution, verdict), Some(settlement));
    }
}
