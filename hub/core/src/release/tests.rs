//! What releases calls, and what never does.

use super::*;
use crate::finding::tests::finding;
use expect_test::expect;
use std::fmt::Write;

fn release(model: &str, class: &str, kind: EvidenceKind, tally: (i64, i64), stated: (u32, u32)) -> Release {
    let mut finding = finding(1, class);
    finding.prediction.model = model.to_owned();
    finding.prediction.basis = Basis {
        kind,
        stated: Counted {
            right: stated.0,
            wrong: stated.1,
        },
    };
    let (right, wrong) = tally;
    let tally = Tally {
        right,
        wrong,
        ..Tally::default()
    };
    Release::of(&finding, tally)
}

/// Kinds of evidence against verdicts, as a table that a reviewer reads as the policy.
#[test]
fn only_the_field_releases() {
    use EvidenceKind as K;
    let cases = [
        ("simulated, nothing yet", K::Simulated, (0, 0), (0, 0)),
        (
            "simulated, a thousand of the simulator",
            K::Simulated,
            (0, 0),
            (1_000, 0),
        ),
        ("laboratory, a thousand of the rig", K::Laboratory, (0, 0), (1_000, 0)),
        ("simulated, 20 right", K::Simulated, (20, 0), (1_000, 0)),
        ("simulated, 21 right", K::Simulated, (21, 0), (0, 0)),
        ("simulated, 20 of 21", K::Simulated, (20, 1), (0, 0)),
        ("simulated, 36 of 37", K::Simulated, (36, 1), (0, 0)),
        ("simulated, 49 of 51", K::Simulated, (49, 2), (0, 0)),
        ("simulated, 40 of 42", K::Simulated, (40, 2), (0, 0)),
        ("laboratory, 14 of 16", K::Laboratory, (14, 2), (0, 0)),
        ("laboratory, 21 right", K::Laboratory, (21, 0), (0, 0)),
        ("fleet, nothing stated", K::Fleet, (0, 0), (0, 0)),
        ("fleet, 21 stated", K::Fleet, (0, 0), (21, 0)),
        ("fleet, 15 stated and 6 of its own", K::Fleet, (6, 0), (15, 0)),
        ("fleet, 21 stated and 9 of its own wrong", K::Fleet, (0, 9), (21, 0)),
    ];
    let mut table = String::new();
    for (name, kind, tally, stated) in cases {
        let release = release("washing-machine/1", "pump", kind, tally, stated);
        let needed = release.verdicts_needed().unwrap();
        let why = release
            .withheld()
            .map_or("rings by itself".to_owned(), |why| format!("{why:?}"));
        writeln!(table, "{name}: {why}, from {needed}").unwrap();
    }
    expect![[r#"
        simulated, nothing yet: TooFewVerdicts, from 21
        simulated, a thousand of the simulator: TooFewVerdicts, from 21
        laboratory, a thousand of the rig: TooFewVerdicts, from 21
        simulated, 20 right: TooFewVerdicts, from 21
        simulated, 21 right: rings by itself, from 21
        simulated, 20 of 21: TooOftenWrong, from 37
        simulated, 36 of 37: rings by itself, from 37
        simulated, 49 of 51: rings by itself, from 51
        simulated, 40 of 42: TooOftenWrong, from 51
        laboratory, 14 of 16: TooFewVerdicts, from 51
        laboratory, 21 right: rings by itself, from 21
        fleet, nothing stated: TooFewVerdicts, from 21
        fleet, 21 stated: rings by itself, from 21
        fleet, 15 stated and 6 of its own: rings by itself, from 21
        fleet, 21 stated and 9 of its own wrong: TooOftenWrong, from 139
    "#]]
    .assert_eq(&table);
}

/// However many verdicts are right: what names no part is looked at by a person each time.
#[test]
fn what_names_no_part_is_never_released() {
    for (model, class) in [
        ("washing-machine/1", UNKNOWN_FAULT),
        ("generic/1", "pump"),
        ("generic", UNKNOWN_FAULT),
    ] {
        let release = release(model, class, EvidenceKind::Fleet, (1_000, 0), (1_000, 0));
        assert_eq!(release.withheld(), Some(Unreleased::NoNamedFault), "{model} {class}");
        assert_eq!(release.verdicts_needed(), None);
    }
}

/// What one verdict adds, its correction takes back.
#[test]
fn a_correction_takes_the_old_verdict_back() {
    use Verdict as V;
    let all = [
        None,
        Some(V::Right),
        Some(V::OtherFault),
        Some(V::Wrong),
        Some(V::NotChecked),
    ];
    for first in all {
        for second in all {
            let mut tally = Tally::judged(None, first);
            tally += Tally::judged(first, second);
            assert_eq!(tally, Tally::judged(None, second), "{first:?} {second:?}");
        }
    }
    assert!(Tally::judged(Some(V::Wrong), Some(V::OtherFault)).is_nothing());
    let (right, other) = (Tally::judged(None, all[1]), Tally::judged(None, all[2]));
    assert_eq!((right.right, right.wrong, other.right, other.wrong), (1, 0, 0, 1));
}

/// A row of before the kind was kept is a careful one.
#[test]
fn what_states_nothing_is_simulated() {
    let basis: Basis = serde_json::from_value(serde_json::json!({ "kind": "simulated" })).unwrap();
    assert_eq!(basis, Basis::default());
    let mut before = serde_json::to_value(&finding(1, "pump").prediction).unwrap();
    before.as_object_mut().unwrap().remove("basis").unwrap();
    let read: crate::prediction::FaultPrediction = serde_json::from_value(before).unwrap();
    assert_eq!(read.basis.kind, EvidenceKind::Simulated);
}
