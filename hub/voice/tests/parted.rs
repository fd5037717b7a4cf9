//! Calls that ended alike to the ear and not in what follows: who gave them up, and whether anybody was asked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, limits, order};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::signaling::fake::FakePhone;
use hub_voice::{CallDetail, EndedBy};
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(300);

async fn ring(phone: FakePhone) -> CallDetail {
    let voice = TestVoice::fake([phone], limits());
    voice.ring(order(Language::En), Arc::new(TestHost::default())).await
}

#[tokio::test]
async fn an_owner_who_is_gone_at_once_has_heard_nothing_unless_a_key_was_pressed() {
    let gone = |keys| FakePhone::Answers {
        after: SOON,
        keys,
        hangs_up: Some(SOON * 3),
    };
    let detail = ring(gone(vec![])).await;
    assert_eq!(
        (detail.result, detail.disposition, detail.ended_by),
        (CallResult::HungUpEarly, None, Some(EndedBy::Owner))
    );
    let detail = ring(gone(vec![(SOON, '0')])).await;
    assert_eq!(
        (detail.result, detail.disposition),
        (CallResult::Answered, Some(Disposition::NothingChosen))
    );
}

/// A person takes longer to decline than an exchange, and is rung first.
#[tokio::test]
async fn what_never_rang_was_declined_by_the_exchange() {
    let unreached = |status, retry_after_s| FakePhone::Unreached { status, retry_after_s };
    for (phone, result, by, retry_after_s) in [
        (unreached(603, None), CallResult::ExchangeDeclined, EndedBy::Trunk, None),
        (
            FakePhone::Refuses {
                after: Duration::ZERO,
                status: 603,
            },
            CallResult::Declined,
            EndedBy::Owner,
            None,
        ),
        (
            unreached(503, Some(30)),
            CallResult::NetworkFailure,
            EndedBy::Trunk,
            Some(30),
        ),
        (unreached(403, None), CallResult::TrunkRefused, EndedBy::Trunk, None),
        (unreached(486, None), CallResult::Busy, EndedBy::Owner, None),
    ] {
        let named = format!("{phone:?}");
        let detail = ring(phone).await;
        assert_eq!(
            (detail.result, detail.ended_by, detail.retry_after_s),
            (result, Some(by), retry_after_s),
            "{named}"
        );
    }
}
