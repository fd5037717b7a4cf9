//! The benchmarks work, and count right; nothing is said about speed here.

use tests_bench::compare::{Audit, Plan, run};

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
    tests_bench::apply::run(tests_bench::apply::Plan::quick())
        .await
        .unwrap();
}

#[tokio::test]
async fn every_broker_takes_idle_and_returning_devices() {
    tests_bench::crowd::run(tests_bench::crowd::Plan::quick())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_store_keeps_what_it_took_and_answers_every_query() {
    tests_bench::store::run(&tests_bench::store::Plan::quick())
        .await
        .unwrap();
}
