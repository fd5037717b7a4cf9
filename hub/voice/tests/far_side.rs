//! What far sides do with keys, audio and time, over the fake trunk: real packets, no SIP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, config_of, correlation, limits, order, trunk};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::prompt::tts::EspeakTts;
use hub_voice::signaling::CallStack;
use hub_voice::signaling::fake::{FakePhone, FakeTrunk};
use hub_voice::{CallDetail, Limits, TrunkConfig, Voice};
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
    let (dead, alive) = tokio::join!(ring(FakePhone::Mute, short), ring(lives, short));
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

#[tokio::test]
async fn a_call_that_lasts_too_long_ends_with_a_goodbye_that_is_heard_to_its_end() {
    let times = Limits {
        talk: Duration::from_secs(20),
        goodbye: Duration::from_secs(15),
        ..limits()
    };
    let waits = FakePhone::Answers {
        after: SOON,
        keys: vec![],
        hangs_up: None,
    };
    let voice = TestVoice::fake([waits], times);
    let detail = voice.ring(order(Language::En), Arc::new(TestHost::default())).await;
    assert_eq!(detail.reason, "the longest time of a call was reached");
    assert_eq!(detail.disposition, Some(Disposition::NothingChosen));
    // After half of that time, in the middle of the menu.
    let said: Vec<&str> = detail.transcript.iter().map(|line| line.text.as_str()).collect();
    assert!(said.len() == 2 && said[1].ends_with("Goodbye."), "{said:?}");
    assert!((10_000..20_000).contains(&detail.talk_ms), "{}", detail.talk_ms);
    let goodbye = voice.farewell(said[1]).await;
    let likeness = correlation(&goodbye, &voice.seen_once().await.heard);
    assert!(likeness > 0.9, "it is said to its end: {likeness}");
}

#[tokio::test]
async fn a_call_that_the_trunk_has_taken_may_ring_late_and_the_record_says_who_gave_up() {
    let times = Limits {
        post_dial: SOON,
        trying: SOON * 6,
        ..limits()
    };
    let (late, silent, stuck) = tokio::join!(
        ring(FakePhone::RingsLate(SOON * 3), times),
        ring(FakePhone::Silence, times),
        ring(FakePhone::Stuck, times)
    );
    assert_eq!((late.result, late.reason.as_str()), (CallResult::Busy, "status 486"));
    assert!(late.post_dial_ms >= 890, "{late:?}");
    assert_eq!(silent.reason, "we gave up, since the trunk did not answer");
    assert_eq!(
        (stuck.result, stuck.reason.as_str()),
        (
            CallResult::NetworkFailure,
            "we gave up, since nothing rang in time; the trunk: status 487"
        )
    );
    assert!((1_790..6_000).contains(&stuck.post_dial_ms), "{stuck:?}");
    let rings = FakePhone::Rings {
        after_cancel: Some(487),
    };
    let unanswered = ring(rings, Limits { ring: SOON, ..times }).await;
    assert_eq!(
        (unanswered.result, unanswered.reason.as_str()),
        (
            CallResult::NoAnswer,
            "we gave up, since nobody answered in time; the trunk: status 487"
        )
    );
}

#[tokio::test]
async fn a_trunk_has_limits_of_its_own() {
    let an_hour = Duration::from_secs(3_600);
    let times = Limits {
        post_dial: an_hour,
        trying: an_hour,
        ..limits()
    };
    let stack = Arc::new(FakeTrunk::new([FakePhone::Silence, FakePhone::Stuck]).unwrap());
    let impatient = TrunkConfig {
        post_dial_limit_s: Some(1),
        trying_limit_s: Some(1),
        ..trunk(stack.local())
    };
    let config = config_of(vec![impatient], times);
    let voice = Voice::with_stack(config, stack, Arc::new(EspeakTts::default())).unwrap();
    for reason in ["the trunk did not answer", "nothing rang in time"] {
        let call = voice.ring(order(Language::En), Arc::new(TestHost::default()));
        let detail = tokio::time::timeout(Duration::from_secs(60), call)
            .await
            .expect("the trunk's own limit");
        assert!(detail.reason.contains(reason), "{}", detail.reason);
    }
}
