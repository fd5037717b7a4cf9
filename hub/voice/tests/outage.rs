//! A trunk that is dead, is left alone for as long as it says nothing, and is used again when it is back: real calls, and the rules
//! by which they go out. The time of the rules is an argument.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::sipp::{Sipp, free_port};
use common::*;
use hub_core::call_result::CallResult;
use hub_core::contact::breaker::Failure;
use hub_core::contact::ways_out::WaysOut;
use hub_core::id::TenantId;
use hub_core::language::Language;
use hub_voice::{CallDetail, Limits, Voice};
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

async fn ring(voice: &Voice) -> CallDetail {
    let call = voice.ring(order(Language::En), Arc::new(TestHost::default()));
    tokio::time::timeout(Duration::from_secs(90), call)
        .await
        .expect("a bounded call")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_trunk_is_left_alone_and_used_again_when_it_is_back() {
    logs();
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let limits = Limits {
        post_dial: Duration::from_secs(1),
        ..limits()
    };
    let voice = Voice::start(config(trunk(address), limits)).await.unwrap();
    let (mut ways, tenant) = (WaysOut::default(), TenantId::new("test").unwrap());
    let mut now = Timestamp::UNIX_EPOCH;
    for pause_s in [10, 20] {
        assert!(ways.take(&tenant, now));
        let detail = ring(&voice).await;
        assert_eq!(detail.result, CallResult::NetworkFailure, "{detail:?}");
        let failure = Failure {
            why: detail.reason.clone(),
            retry_after_s: detail.retry_after_s,
        };
        ways.ended_unrung(&tenant, detail.result, failure, now, 0.0);
        assert_eq!(ways.paused()[0].pause.why, "we gave up, since the trunk did not answer");
        let pause = SignedDuration::from_secs(pause_s);
        assert!(!ways.take(&tenant, now + pause - SignedDuration::from_secs(1)));
        now += pause;
    }
    let back = Sipp::start_at(address, "uas-603", &[]);
    assert!(ways.take(&tenant, now));
    let detail = ring(&voice).await;
    assert_eq!(detail.result, CallResult::Declined, "it rang: {detail:?}");
    ways.rang(&tenant, now);
    assert!(ways.paused().is_empty());
    back.passed().await;
    voice.shutdown().await;
}
