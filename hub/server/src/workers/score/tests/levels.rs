//! What scoring saves of each month, and what a fleet's past makes of an alarm.

use super::*;
use crate::workers::budget::BudgetWorker;
use hub_core::budget::Month;
use hub_core::finding::Finding;
use hub_store::budget::{BudgetStore, MonthScore};
use hub_store::prediction::ScoringCommit;

const FAMILY: &str = "pump-rig";
/// Pumps that were sold before.
const SOLD: i64 = 60;

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// Sixty pumps of the same kind whose scores have come to a thousand in each of four months, and nothing was wrong with them.
async fn wild_past(world: &World) {
    let device = |n: i64| serde_json::json!({"id": format!("sold-{n}"), "profile": FAMILY});
    let devices: Vec<_> = (0..SOLD).map(device).collect();
    let site = serde_json::from_value(serde_json::json!({"tenant": [{
        "id": "acme", "brand": {"zh-CN": "Acme", "en": "Acme"}, "visit_price": {"currency": "CNY", "amount": 80},
        "device": devices,
    }]}))
    .unwrap();
    world.store.apply_site(&site, start(), false).await.unwrap();
    let mut scores = Vec::new();
    for n in 0..SOLD {
        let name = DeviceId::new(format!("sold-{n}")).unwrap();
        let appliance = world.store.appliance_by_name(&acme(), &name).await.unwrap().id;
        scores.extend((1..=4).map(|back| MonthScore {
            appliance,
            family: FAMILY.to_owned(),
            month: Month::at(start()).plus(-back),
            score: 1_000.0 + n as f32,
        }));
    }
    let commit = ScoringCommit {
        scores,
        ..ScoringCommit::default()
    };
    world.store.commit_scoring(&commit, start()).await.unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let mut worker = BudgetWorker::new(world.store.clone(), clock, Arc::default());
    worker.round().await.unwrap();
}

/// All readings are scored; the finding of the first pump, which has lost flow.
async fn scored(world: &World) -> Finding {
    world.ingest(BEFORE, LONG).await;
    assert_eq!(run(&mut world.worker()).await.failures, 0);
    let hub = Actor::hub("test");
    let mut findings = world.store.findings(&hub, None, 100).await.unwrap().items;
    findings.retain(|finding| finding.appliance == world.ids[0]);
    findings.remove(0)
}

#[tokio::test]
async fn without_a_past_each_alarm_opens_a_ticket_and_its_score_is_the_months() {
    let world = World::with(LONG).await;
    let finding = scored(&world).await;
    assert!(finding.ticket.is_some() && finding.ticket_from.is_none());
    assert_eq!(finding.prediction.verdicts, None, "the model's own probability");
    let month = Month::at(world.rows[0].at);
    let mut scores = world.store.scores_of(&acme(), FAMILY, month).await.unwrap();
    let scores = scores.remove(FAMILY).unwrap();
    let of = |id| scores.iter().find(|one| one.appliance == id).map(|one| one.score);
    // It was saved with the checkpoint of the newest news, which was no lower.
    assert!(of(world.ids[0]).unwrap() >= finding.prediction.score, "{scores:?}");
    assert!(finding.prediction.score >= 1.0);
}

#[tokio::test]
async fn in_a_fleet_of_such_scores_the_same_alarm_opens_none() {
    let world = World::with(LONG).await;
    wild_past(&world).await;
    let finding = scored(&world).await;
    assert_eq!(finding.ticket, None);
    assert!(finding.ticket_from.unwrap() > 1_000.0);
    assert!(finding.prediction.probability < 0.1 && finding.prediction.verdicts.is_some());
}
