//! What far sides do with keys and audio, over the fake trunk: real packets, no SIP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, limits, order};
use hub_core::call_result::Disposition;
use hub_core::language::Language;
use hub_voice::signaling::fake::FakePhone;
use hub_voice::{CallDetail, Limits};
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(300);

/// Rings one scripted phone.
async fn ring(phone: FakePhone, limits: Limits) -> CallDetail {
    let voice = TestVoice::fake([phone], limits);
    voice.ring(order(Language::En), Arc::new(TestHost::default())).await
}

#[tokio::test]
async fn keys_inside_signalling_count_and_a_press_that_comes_twice_counts_once() {
    for events in [false, true] {
        let keys = vec![(SOON, '0'), (SOON * 3, '2')];
        let detail = ring(FakePhone::Signals { keys, events }, limits()).await;
        assert_eq!(
            (detail.digits.as_str(), detail.disposition),
            ("02", Some(Disposition::AnotherTime)),
            "{detail:?}"
        );
        assert_eq!(detail.no_key_way, !events, "{detail:?}");
    }
}
