use super::super::history::ConfirmedFault;
use super::super::precision::{
    CallFacts, Counted, EARNED_BELOW, Faults, Precision, ScoreBand, Verdicts, Withheld, belief, faults_at, is_earned,
    recall, verdicts_needed,
};
use super::month;
use crate::id::ApplianceId;
use crate::outcome::Verdict;
use crate::prediction::UNKNOWN_FAULT;

#[test]
fn what_a_score_says_depends_on_how_many_faults_there_are() {
    let rounded = |faults_a_year, harmless| (100.0 * belief(faults_a_year, 0.9, harmless)).round();
    let tickets = [0.005, 0.01, 0.05].map(|faults| rounded(faults, 1e-3));
    assert_eq!(tickets, [27.0, 43.0, 79.0], "at one false ticket per 1,000 and month");
    let calls = [0.005, 0.01, 0.05].map(|faults| rounded(faults, 5e-5));
    assert_eq!(calls, [88.0, 94.0, 99.0], "at one false call per 20,000 and month");
    assert_eq!(belief(0.0, 0.9, 0.0), 0.0);
}

#[test]
fn a_simulator_counts_for_ten_faults_at_most() {
    let faults = |confirmed, reached| Faults { confirmed, reached };
    let none = faults(0, 0);
    assert_eq!(recall(none, none), 0.5, "nothing is known");
    assert_eq!(recall(none, faults(4, 4)), 5.0 / 6.0);
    assert!((recall(none, faults(1_000, 900)) - 10.0 / 12.0).abs() < 1e-12);
    assert!(
        (recall(faults(88, 22), faults(1_000, 900)) - 0.32).abs() < 1e-12,
        "the fleet knows better"
    );
    let confirmed = [0.5, 2.0, 3.0].map(|score| ConfirmedFault {
        appliance: ApplianceId(1),
        month: month(0),
        score,
    });
    assert_eq!(faults_at(&confirmed, 2.0), faults(3, 2));
}

#[test]
fn verdicts_that_it_takes_to_be_sure() {
    let needed = |wrong| [0.5, 0.8, 0.9].map(|sure| verdicts_needed(wrong, sure).unwrap());
    assert_eq!(needed(0), [6, 15, 21]);
    assert_eq!(needed(1), [16, 28, 37]);
    assert_eq!(needed(2), [26, 41, 51]);
    assert_eq!(verdicts_needed(2_000, 0.9), None);
    let counted = |right, wrong| Counted { right, wrong };
    assert!(is_earned(counted(21, 0)) && !is_earned(counted(20, 0)));
    assert!(is_earned(counted(36, 1)) && !is_earned(counted(35, 1)));
    assert!(is_earned(counted(49, 2)) && !is_earned(counted(48, 2)));
}

#[test]
fn verdicts_correct_the_first_belief_and_are_forgotten() {
    let told = |right: u32, wrong: u32, at: i32| {
        let mut verdicts = Verdicts::new(month(0));
        (0..right).for_each(|_| verdicts.observe(Verdict::Right, month(0)));
        (0..wrong).for_each(|_| verdicts.observe(Verdict::Wrong, month(0)));
        verdicts.precision(0.8, month(at))
    };
    assert!((told(0, 0, 0).probability - 0.8).abs() < 1e-12);
    assert!((told(10, 0, 0).probability - 0.9).abs() < 1e-12);
    assert!((told(10, 10, 0).probability - 0.6).abs() < 1e-12);
    assert!(
        (told(10, 0, 23).probability - (8.0 + 4.963) / (10.0 + 4.963)).abs() < 1e-3,
        "half of it after 23 months"
    );
    assert!(told(10, 0, 0).sure > told(10, 1, 0).sure && told(20, 0, 0).sure > told(10, 0, 0).sure);
    assert!(
        told(3, 2, 40).counted == Counted { right: 3, wrong: 2 },
        "people see all of them"
    );
    assert_eq!(
        told(10, 0, -5),
        told(10, 0, 0),
        "a clock that was set back brings nothing"
    );
    for belief in [0.0, 1.0] {
        let precision = Verdicts::new(month(0)).precision(belief, month(0));
        assert!((precision.sure - belief).abs() < 1e-6 && (precision.probability - belief).abs() < 1e-6);
    }
}

#[test]
fn a_verdict_that_was_corrected_leaves_nothing_behind() {
    for wrongly in [Verdict::Right, Verdict::Wrong, Verdict::OtherFault, Verdict::NotChecked] {
        let mut plain = Verdicts::new(month(0));
        plain.observe(Verdict::Right, month(2));
        let mut corrected = plain;
        corrected.observe(wrongly, month(3));
        assert_eq!(corrected.counted == plain.counted, wrongly == Verdict::NotChecked);
        corrected.take_back(wrongly, month(3), month(9));
        let (plain, corrected) = (plain.precision(0.7, month(12)), corrected.precision(0.7, month(12)));
        assert!((plain.probability - corrected.probability).abs() < 1e-12, "{wrongly:?}");
        assert_eq!(plain.counted, corrected.counted);
    }
}

#[test]
fn each_condition_of_a_call_stands_by_itself() {
    let precision = Precision {
        probability: 0.95,
        sure: 0.7,
        counted: Counted { right: 3, wrong: 0 },
    };
    let facts = CallFacts {
        fault_class: "drain_pump_wear",
        score: 3.0,
        call_level: Some(2.5),
        breaker_lets_out: true,
        precision,
        watched: EARNED_BELOW,
    };
    assert_eq!(facts.withheld(), []);
    let but = |facts: CallFacts| facts.withheld();
    assert_eq!(
        but(CallFacts {
            fault_class: UNKNOWN_FAULT,
            ..facts
        }),
        [Withheld::NoNamedClass]
    );
    assert_eq!(
        but(CallFacts {
            call_level: None,
            ..facts
        }),
        [Withheld::NoCallLevel]
    );
    assert_eq!(but(CallFacts { score: 2.4, ..facts }), [Withheld::BelowCallLevel]);
    assert_eq!(
        but(CallFacts {
            breaker_lets_out: false,
            ..facts
        }),
        [Withheld::Surge]
    );
    let unlikely = Precision {
        probability: 0.89,
        ..precision
    };
    assert_eq!(
        but(CallFacts {
            precision: unlikely,
            ..facts
        }),
        [Withheld::Improbable]
    );
    let unsure = Precision {
        sure: 0.49,
        ..precision
    };
    assert_eq!(
        but(CallFacts {
            precision: unsure,
            ..facts
        }),
        [Withheld::Unsure]
    );
    let no_number = Precision {
        probability: f64::NAN,
        sure: f64::NAN,
        ..precision
    };
    assert_eq!(
        but(CallFacts {
            precision: no_number,
            score: f64::NAN,
            ..facts
        }),
        [Withheld::BelowCallLevel, Withheld::Improbable, Withheld::Unsure]
    );
    let small = CallFacts {
        watched: EARNED_BELOW - 1,
        ..facts
    };
    assert_eq!(but(small), [Withheld::NotEarned]);
    let counted = Counted { right: 21, wrong: 0 };
    let earned = CallFacts {
        precision: Precision { counted, ..precision },
        ..small
    };
    assert_eq!(but(earned), []);
    assert_eq!(ScoreBand::of(2.5, Some(2.5)), ScoreBand::Call);
    assert_eq!(ScoreBand::of(2.4, Some(2.5)), ScoreBand::Ticket);
    assert_eq!(ScoreBand::of(9.9, None), ScoreBand::Ticket);
}
