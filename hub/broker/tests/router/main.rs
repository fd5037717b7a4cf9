//! Fan-out to integrators, through the real router of rumqttd.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bounds;
mod fan_out;

use hub_broker::router::{Delivery, Published, Router, RouterLimits, Subscriber};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What must happen happens within this.
const SOON: Duration = Duration::from_secs(20);

fn start() -> Router {
    Router::start(RouterLimits::default()).unwrap()
}

async fn subscribe(router: &Router, tenant: &str, filters: &[&str]) -> Subscriber {
    let filters: Vec<_> = filters.iter().map(|filter| ((*filter).to_owned(), 1)).collect();
    router.subscribe(tenant, "integrator", &filters).await.unwrap()
}

fn publish(router: &Router, tenant: &str, topic: &str, payload: &str) {
    router.publish(tenant, &Published::new(topic, payload.as_bytes(), 1, false));
}

async fn next(subscriber: &mut Subscriber) -> Delivery {
    timeout(SOON, subscriber.recv()).await.unwrap().unwrap()
}

/// Topic and payload of the next message.
async fn text(subscriber: &mut Subscriber) -> (String, String) {
    let delivery = next(subscriber).await;
    (delivery.topic, String::from_utf8(delivery.payload.to_vec()).unwrap())
}

/// Waits until a condition holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
