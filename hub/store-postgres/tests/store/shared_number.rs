//! A number that stands in two households.

use crate::server::Server;
use crate::support::{alarm, appliance, morning, played, seen, site};
use hub_core::call_rules::HoldReason;
use hub_store::conformance::scene::has_a_quiet_past;
use hub_store::contact::{Begun, ContactStore};
use hub_store::prediction::PredictionStore;
use hub_store::site::SiteStore;
use sqlx::Executor;

/// Who is first commits late, so that the other one decides meanwhile.
const LATE: &str = "
    create function late() returns trigger language plpgsql as $$
        begin
            perform pg_sleep(0.5);
            return new;
        end
    $$;
    create trigger late before insert on attempt for each row execute function late();
";

#[tokio::test]
async fn two_households_with_one_number_are_not_rung_at_the_same_moment() {
    let chosen = Server::chosen().await;
    if !chosen.is_concurrent("two_households_with_one_number_are_not_rung_at_the_same_moment") {
        return;
    }
    let (base, store) = played().await;
    let mut shared = site();
    let owners = &mut shared.tenants[0].owners;
    owners[1].phone = owners[0].phone.clone();
    store.apply_site(&shared, morning(), false).await.unwrap();
    let mut tickets = Vec::new();
    for device in ["wm-1", "wm-2"] {
        let id = appliance(&store, "acme", device).await;
        let scored = seen(vec![alarm(id, "drain_pump_wear", 0.95)]);
        let changes = store.commit_scoring(&scored, morning()).await.unwrap();
        tickets.push(changes[0].opened.unwrap());
    }
    has_a_quiet_past(&store).await;
    base.sql().await.execute(LATE).await.unwrap();
    let (one, other) = tokio::join!(
        store.begin_attempt(tickets[0], morning(), [1; 20]),
        store.begin_attempt(tickets[1], morning(), [2; 20]),
    );
    let begun = [one.unwrap(), other.unwrap()];
    let rings = begun.iter().filter(|begun| matches!(begun, Begun::Ring(_))).count();
    let in_call = |begun: &&Begun| {
        let Begun::Waits { reason, .. } = begun else {
            return false;
        };
        *reason == HoldReason::InCall
    };
    assert_eq!((rings, begun.iter().filter(in_call).count()), (1, 1), "{begun:?}");
}
