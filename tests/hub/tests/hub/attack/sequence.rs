//! Sequences that no sound device counts: each sample is stored once, and none that is new is taken for a repeat.

use super::Siege;
use agent_sdk_wire::{MAX_NUMBER, MAX_SAMPLES};
use tests_hub::fleet::recent;
use tests_hub::payloads::message;

#[tokio::test(flavor = "multi_thread")]
async fn wrapped_reused_and_shuffled_sequences_are_stored_once() {
    let siege = Siege::begin(&["wrap", "reuse", "shuffle"]).await;
    wrap(&siege).await;
    boot_reuse(&siege).await;
    out_of_order_lanes(&siege).await;
    siege.end().await;
}

/// The highest number that a message may begin at; what begins above it is kept for a person, and zero is new again.
async fn wrap(siege: &Siege) {
    let t0_ms = recent().as_millisecond() - 60_000;
    let last = message(9, MAX_NUMBER - MAX_SAMPLES as u64, t0_ms, 1);
    let beyond = beyond_the_highest(t0_ms);
    let first = message(9, 0, t0_ms + 2_000, 2);
    let all = [&last, &last, &beyond, &first, &first].map(|m| ("d/wrap/t", &m[..]));
    siege.device("wrap").await.publish_all(&all, 1).await.unwrap();
    siege.stored("wrap", 3).await;
    assert_eq!(
        siege.appliance("wrap").await["quarantined"],
        1,
        "three numbers from beyond the highest"
    );
    siege.honest.is_served("a sequence that wraps").await;
}

/// A device that draws the same boot twice is told from one that repeats itself only by its numbers.
async fn boot_reuse(siege: &Siege) {
    let t0_ms = recent().as_millisecond() - 600_000;
    let mut device = siege.device("reuse").await;
    let before: Vec<_> = (0..40)
        .map(|n| message(5, n * 10, t0_ms + n as i64 * 10_000, 10))
        .collect();
    let before: Vec<_> = before.iter().map(|m| ("d/reuse/t", &m[..])).collect();
    device.publish_all(&before, 16).await.unwrap();
    siege.stored("reuse", 400).await;
    // The same numbers again, older than any bitmap and newer; then numbers that go on.
    device.publish_all(&before, 16).await.unwrap();
    let on = message(5, 395, t0_ms, 10);
    device.publish_all(&[("d/reuse/t", &on)], 1).await.unwrap();
    siege.stored("reuse", 405).await;
    siege.honest.is_served("a boot that is used twice").await;
}

/// Messages come in any order, far apart, and again.
async fn out_of_order_lanes(siege: &Siege) {
    let t0_ms = recent().as_millisecond() - 900_000;
    let mut order: Vec<u64> = (0..100).collect();
    // A permutation: 37 is coprime to 100.
    order.sort_by_key(|n| n * 37 % 100);
    let messages: Vec<_> = order
        .iter()
        .map(|n| message(3, n * 8, t0_ms + *n as i64 * 8_000, 8))
        .collect();
    let twice: Vec<_> = messages
        .iter()
        .chain(&messages)
        .map(|m| ("d/shuffle/t", &m[..]))
        .collect();
    siege.device("shuffle").await.publish_all(&twice, 32).await.unwrap();
    siege.stored("shuffle", 800).await;
    siege.honest.is_served("shuffled messages").await;
}

/// A message that begins so high that a whole one would not fit: our encoder refuses to make it.
fn beyond_the_highest(t0_ms: i64) -> Vec<u8> {
    let encoded = 1u64 << 52;
    let mut message = message(9, encoded, t0_ms, 3);
    let at = message
        .windows(8)
        .position(|bytes| bytes == encoded.to_be_bytes())
        .unwrap();
    message[at..at + 8].copy_from_slice(&MAX_NUMBER.to_be_bytes());
    message
}
