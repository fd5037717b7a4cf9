//! The page of models: a family with a past and a surge, and one of which nothing is known yet.

use super::*;
use hub_api::models_list::ShownModel;
use hub_core::budget::change::LedgerChange;
use hub_core::budget::history::{HighestScore, History, MonthOfScores};
use hub_core::budget::judged::Bin;
use hub_core::budget::ledger::{Ledger, OTHER_MODELS, Statement};
use hub_core::budget::precision::Counted;
use hub_core::budget::{Budgets, Draws, Month};
use hub_core::release::{Basis, EvidenceKind, Predicted, Release, Tally};
use hub_store::budget::{FamilyBudget, LedgerLine};
use hub_store::floors::{Fleet, FleetFloors};
use jiff::civil::date;
use std::collections::BTreeMap;

fn learned() -> (Ledger, Vec<LedgerChange>) {
    let now = sample::at("08:30");
    let month = Month::at(now);
    let mut history = History::default();
    for back in 1..=4 {
        let score = |id: u16| HighestScore {
            appliance: ApplianceId(id.into()),
            score: 2.0 + 0.002 * f32::from(id),
        };
        history.record(MonthOfScores::new(month.plus(-back), (0..300).map(score)));
    }
    let histories = BTreeMap::from([
        ("WM <7>".to_owned(), history),
        (OTHER_MODELS.to_owned(), History::default()),
    ]);
    let (mut ledger, mut state) = (Ledger::default(), 1_u64);
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state
    };
    let stated = Statement {
        budgets: Budgets::default(),
        faults_a_year: 0.01,
        by: "kim".to_owned(),
        at: now,
    };
    let mut changes = vec![ledger.state(stated).unwrap()];
    changes.extend(ledger.renew(month, None, &histories, &mut Draws(&mut draw)));
    assert!(ledger.breaker("WM <7>").count(20, 0.5, now));
    changes.push(LedgerChange::Stopped {
        model: "WM <7>".to_owned(),
        tickets: 20,
        expected: 0.5,
    });
    (ledger, changes)
}

fn shown(ledger: Ledger, changes: Vec<LedgerChange>, reliability: Vec<Bin>) -> ShownModel {
    let lines = changes.into_iter().map(|change| LedgerLine {
        at: sample::at("08:30"),
        by: "kim".to_owned(),
        change,
    });
    ShownModel {
        versions: vec![1],
        budget: FamilyBudget {
            family: "washing-machine".to_owned(),
            ledger,
            lines: lines.collect(),
        },
        reliability,
        releases: Vec::new(),
        by_floors: true,
        floors: Vec::new(),
    }
}

/// With a surge, released or not, and without any past.
pub(super) fn pages(reader: &Reader) -> Vec<String> {
    let (ledger, mut changes) = learned();
    let bin = Bin {
        stated: 0.43,
        counted: Counted { right: 12, wrong: 18 },
    };
    let mut released = ledger.clone();
    let (now, until) = (sample::at("08:40"), sample::at("10:00"));
    changes.push(released.release("WM <7>", "kim", "new firmware", now, until).unwrap());
    let makers = ["acme", "beta"].map(|name| TenantId::new(name).unwrap());
    let release = |class: &str, right, wrong| Release {
        predicted: Predicted {
            model: "washing-machine/1".to_owned(),
            fault_class: class.to_owned(),
        },
        basis: Basis {
            kind: EvidenceKind::Laboratory,
            ..Basis::default()
        },
        tally: Tally {
            right,
            wrong,
            approved: 5,
            refused: 2,
        },
    };
    let mut first = shown(ledger, changes, vec![bin]);
    first.floors = vec![FleetFloors {
        fleet: Fleet {
            tenant: makers[0].clone(),
            model: "washing-machine/1".to_owned(),
            profile: "washing-machine".to_owned(),
        },
        appliance_model: "WM <7>".to_owned(),
        month: Month::of(date(2026, 11, 1)),
        floors: [("motor_current_a".to_owned(), 0.08)].into(),
        appliances: 212,
    }];
    first.releases = vec![release("drain_pump_wear", 14, 7), release("unknown_fault", 1, 0)];
    let all = [
        first,
        shown(released, Vec::new(), Vec::new()),
        shown(Ledger::default(), Vec::new(), Vec::new()),
    ];
    let page = |models: &[ShownModel]| model::page::render(reader, &makers, &makers[0], models, now).into_string();
    vec![page(&all[..1]), page(&all[1..2]), page(&all[2..]), page(&[])]
}

#[test]
fn a_family_says_what_is_accepted_what_follows_and_what_has_stopped() {
    let told = |page: &str| words(page).replace(['\u{2068}', '\u{2069}'], "");
    let english = pages(&reader(Language::En));
    for piece in [
        "1.00 false tickets, 0.050 false calls",
        "stated by kim, 22 Nov",
        "all other models",
        "from the whole family's months, and 15 % more",
        "no calls but by a person",
        "20 tickets where 0.50 were to be expected",
        "12 of 30 right",
        "in 1200 appliance months",
        "14 of 21 right",
        "calls go out by themselves from",
        "but no part is named",
        "5 approved, 2 refused",
        "laboratory",
        "floors learned from 212 appliances, 2026-11",
    ] {
        assert!(
            told(&english[0]).contains(piece),
            "{piece} is not in\n{}",
            told(&english[0])
        );
    }
    assert!(told(&english[1]).contains("kim lets calls go on until"));
    assert!(told(&english[1]).contains("and no call about it was approved or refused"));
    assert!(told(&english[2]).contains("each alarm opens a ticket"));
    assert!(told(&english[2]).contains("Floors of the model's own table"));
    assert!(told(&english[2]).contains("as nobody has stated anything else"));
    let chinese = pages(&reader(Language::ZhCn));
    assert!(told(&chinese[0]).contains("30 中 12 正确"));
    assert!(told(&chinese[1]).contains("每次呼叫均由人工批准"));
}
