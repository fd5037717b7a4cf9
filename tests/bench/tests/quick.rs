//! The benchmarks work, and count right; nothing is said about speed here.

use tests_bench::agents;
use tests_bench::attack;
use tests_bench::calls;
use tests_bench::compare::{Audit, Plan, run};
use tests_bench::steady::{self, Part};
use tests_hub::soak::restart;

#[tokio::test]
async fn every_broker_takes_the_load_and_the_hub_stores_what_it_acknowledges() {
    let plan = Plan::quick();
    let messages = plan.scenarios.iter().map(|s| s.connections * s.each).sum();
    let report = run(plan).await.unwrap();
    assert_eq!(
        report.audit,
        Audit {
            acknowledged: messages,
            lost: 0,
            doubled: 0
        }
    );
}

#[tokio::test]
async fn a_site_is_applied_without_a_hub_and_beside_one_that_takes_readings() {
    let bars = tests_bench::apply::run(tests_bench::apply::Plan::quick())
        .await
        .unwrap();
    assert!(bars.is_held("not_rung_beside_apply"));
}

#[tokio::test]
async fn every_broker_takes_idle_and_returning_devices() {
    tests_bench::crowd::run(tests_bench::crowd::Plan::quick())
        .await
        .unwrap();
}

#[tokio::test]
async fn agents_come_back_after_a_kill_in_mid_stream_and_lose_nothing() {
    let bars = agents::run(agents::Plan::quick()).await.unwrap();
    bars.print();
    for bar in [
        "agents_readings_lost",
        "agents_readings_doubled",
        "agents_dropped_hub",
        "agents_dropped_mosquitto",
        "agents_tries_in_a_second_hub",
    ] {
        assert!(bars.is_held(bar), "{bar}");
    }
}

#[tokio::test]
async fn the_desk_keeps_every_finding_with_its_ticket() {
    tests_bench::desk::run(tests_bench::desk::Plan::quick()).await.unwrap();
}

#[test]
fn every_way_to_score_gives_the_same_and_every_appliance_is_watched() {
    tests_bench::predict::run(tests_bench::predict::Plan::quick()).unwrap();
}

#[tokio::test]
async fn the_store_keeps_what_it_took_and_answers_every_query() {
    tests_bench::store::run(&tests_bench::store::Plan::quick())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_hub_stores_what_it_acknowledges_at_any_pace_into_an_empty_and_into_a_full_week() {
    let parts = [Part::Trickle, Part::Paced];
    steady::run(&steady::Plan::quick(), &parts).await.unwrap();
}

#[tokio::test]
async fn the_hub_stores_what_it_acknowledges_as_fast_as_it_goes() {
    steady::run(&steady::Plan::quick(), &[Part::Flood]).await.unwrap();
}

#[tokio::test]
async fn every_fault_rings_beneath_a_load() {
    let bars = steady::run(&steady::Plan::quick(), &[Part::Ring]).await.unwrap();
    for rate in steady::Plan::quick().rings.rates {
        assert!(bars.is_held(&format!("ring_at_{rate:.0}_not_rung")));
    }
}

#[tokio::test]
async fn kills_beneath_a_load_change_no_finding_and_no_window() {
    let plan = steady::Plan::quick().restarts;
    let outcome = restart::run(plan, |line| println!("{line}")).await.unwrap();
    println!("{outcome:?}");
    let acknowledged = plan.devices as u64 * plan.each;
    assert_eq!(
        (outcome.acknowledged, outcome.stored.rows),
        (acknowledged, acknowledged)
    );
    assert_eq!((outcome.lost(), outcome.doubled()), (0, 0));
    assert!(!outcome.ready.is_empty() && outcome.findings >= plan.worn);
    assert_eq!((outcome.other_findings, outcome.other_windows), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_strangers_besiege_answers_keeps_what_it_acknowledged_and_ends() {
    let plan = attack::Plan::quick();
    let bars = attack::run(&plan).await.unwrap();
    bars.print();
    for (load, _) in &plan.loads {
        for what in [
            "calls_up",
            "calls_ended",
            "calls_heard",
            "healthz_late",
            "readyz_late",
            "options_late",
            "bye_s",
            "log_mb_a_minute",
        ] {
            let bar = format!("{}_{what}", load.name());
            assert!(bars.is_held(&bar), "{bar}");
        }
        if let attack::Load::Crowd(..) = load {
            let bar = format!("{}_opened", load.name());
            assert!(bars.is_held(&bar), "{bar}");
        }
    }
    assert!(bars.is_held("unacknowledged_sent"));
    assert!(bars.is_held("sigterm_s") && bars.is_held("lost_or_double"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_come_up_beside_an_echo_and_calls_that_come_and_go_all_end() {
    let bars = calls::run(&calls::Plan::quick()).await.unwrap();
    bars.print();
    for bar in [
        "first_calls_wrong",
        "hub_calls_up",
        "hub_ended_early",
        "echo_calls_up",
        "echo_ended_early",
        "churn_wrong",
        "calls_without_end",
    ] {
        assert!(bars.is_held(bar), "{bar}");
    }
}
