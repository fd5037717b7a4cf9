//! Changes of access reach the front door whatever becomes of an answer.

use super::Harness;
use super::door::{changes, device};
use super::scene::{appliance, morning, played, tenant};
use crate::access::AccessChange;

pub(super) async fn a_change_is_told_until_whoever_heard_it_asks_again(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    store
        .revoke_device(&tenant("acme"), &device("wm-1"), true, morning())
        .await
        .unwrap();
    // This hub hears of it and ends before it has cut anybody.
    let ended = place.beside().await;
    assert_eq!(changes(&*ended).await, [AccessChange::Device(id)]);
    drop(ended);
    assert_eq!(changes(&*store).await, [AccessChange::Device(id)]);
    assert_eq!(changes(&*store).await, [], "acted on, so it is not told again");
}
