//! What far sides do with keys and audio, over the fake trunk: real packets, no SIP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, correlation, limits, order};
use hub_core::call_result::{CallResult, Disposition};
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

#[tokio::test]
async fn a_far_side_that_has_died_is_noticed_and_one_that_lives_is_not_cut_off() {
    let silence = Duration::from_secs(3);
    let short = Limits { silence, ..limits() };
    let lives = FakePhone::Answers {
        after: SOON,
        keys: vec![(silence * 3 / 2, '3')],
        hangs_up: None,
    };
    let mute = FakePhone::Mute { keys: Vec::new() };
    let (dead, alive) = tokio::join!(ring(mute, short), ring(lives, short));
    assert_eq!(
        (dead.result, dead.reason.as_str()),
        (CallResult::Answered, "nothing came from the far side any more"),
        "{dead:?}"
    );
    let talked = Duration::from_millis(dead.talk_ms);
    assert!(talked >= silence * 9 / 10 && talked < silence * 3, "{talked:?}");
    assert_eq!(dead.audio.packets_received, 0);
    assert_eq!(alive.disposition, Some(Disposition::PersonWanted), "{alive:?}");
    assert_eq!(alive.reason, "we hung up at the end");
}

#[tokio::test]
async fn a_far_side_that_sends_keys_inside_signalling_and_no_audio_lives() {
    let silence = Duration::from_secs(3);
    let keys = [(2, '0'), (2, '0'), (2, '3')].map(|(after_s, key)| (Duration::from_secs(after_s), key));
    let mute = FakePhone::Mute { keys: keys.into() };
    let detail = ring(mute, Limits { silence, ..limits() }).await;
    assert_eq!(
        (detail.digits.as_str(), detail.disposition),
        ("003", Some(Disposition::PersonWanted)),
        "{detail:?}"
    );
    assert_eq!(detail.audio.packets_received, 0);
}

#[tokio::test]
async fn an_owner_whose_audio_comes_from_elsewhere_hears_the_menu_once_and_the_record_says_why() {
    let limits = Limits {
        silence: Duration::from_secs(1),
        talk: Duration::from_secs(85),
        ..limits()
    };
    let detail = ring(FakePhone::Elsewhere, limits).await;
    assert_eq!(
        (detail.result, detail.reason.as_str()),
        (
            CallResult::Answered,
            "audio came only from addresses that were not announced"
        ),
        "{detail:?}"
    );
    assert!(detail.talk_ms > 10_000, "the menu in full: {detail:?}");
    assert_eq!(detail.transcript.len(), 1, "{detail:?}");
    assert_eq!(detail.audio.packets_received, 0);
    assert!(detail.audio.dropped > 50, "{:?}", detail.audio);
}

#[tokio::test]
async fn audio_that_moves_at_the_answer_is_followed_though_early_media_goes_on() {
    let keys = vec![(SOON, '3')];
    let voice = TestVoice::fake([FakePhone::MovesAtAnswer { keys }], limits());
    let detail = voice.ring(order(Language::En), Arc::new(TestHost::default())).await;
    assert_eq!(
        (detail.digits.as_str(), detail.disposition),
        ("3", Some(Disposition::PersonWanted)),
        "{detail:?}"
    );
    // What the early port sent is dropped before the answer and from the other port's first packet on.
    assert!(detail.audio.dropped > 50, "{:?}", detail.audio);
    let heard = voice.seen_once().await.heard;
    let said = voice.farewell(&detail.transcript.last().unwrap().text).await;
    let likeness = correlation(&said, &heard);
    assert!(likeness > 0.9, "the farewell goes where the answer says: {likeness}");
}
