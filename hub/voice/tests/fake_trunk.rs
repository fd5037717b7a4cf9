//! The whole of a call but SIP: prompts, flow, audio and record against the fake trunk.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, correlation, limits, order};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::signaling::fake::{FakePhone, FakeTrunk};
use hub_voice::{CallDetail, CallProgress, Direction, Limits, Speaker};
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(300);

/// Rings one scripted phone.
async fn ring(phone: FakePhone, host: TestHost, limits: Limits) -> (CallDetail, Arc<TestHost>, TestVoice<FakeTrunk>) {
    let voice = TestVoice::fake([phone], limits);
    let host = Arc::new(host);
    let detail = voice.ring(order(Language::En), host.clone()).await;
    (detail, host, voice)
}

fn presses(keys: &str) -> FakePhone {
    let keys = keys.chars().map(|key| (SOON, key)).collect();
    FakePhone::Answers {
        after: SOON,
        keys,
        hangs_up: None,
    }
}

#[tokio::test]
async fn key_1_books_and_the_prompt_arrives_as_it_was_made() {
    let (detail, host, voice) = ring(presses("1"), TestHost::default(), limits()).await;
    assert_eq!(detail.result, CallResult::Answered);
    assert_eq!(detail.disposition, Some(Disposition::AppointmentBooked));
    assert_eq!(
        (detail.digits.as_str(), detail.sip_status, detail.direction),
        ("1", Some(200), Direction::Outbound)
    );
    assert_eq!(host.commits(), [Disposition::AppointmentBooked]);
    assert!(detail.ring_ms >= 250 && detail.talk_ms > 300, "{detail:?}");
    assert!(
        detail.audio.packets_sent > 20 && detail.audio.packets_received > 20,
        "{:?}",
        detail.audio
    );
    assert_eq!(detail.audio.lost, 0);
    let lines: Vec<_> = detail.transcript.iter().map(|line| line.speaker).collect();
    assert_eq!(lines, [Speaker::Hub, Speaker::Owner, Speaker::Hub]);
    assert!(detail.transcript[0].text.contains("automatic call from Haier"));
    assert!(detail.transcript[2].text.contains("Your visit is booked"));
    let heard = voice.seen_once().await;
    assert!(heard.ended_by_hub);
    let said = voice.farewell(&detail.transcript[2].text).await;
    let likeness = correlation(&said, &heard.heard);
    assert!(likeness > 0.9, "the confirmation is heard as it was made: {likeness}");
    let steps = host.steps();
    assert_eq!(steps.first(), Some(&CallProgress::Dialing));
    assert!(steps.contains(&CallProgress::Ringing) && steps.contains(&CallProgress::Pressed { key: '1' }));
    assert_eq!(steps.last(), Some(&CallProgress::Ended));
}

#[tokio::test]
async fn what_is_not_saved_is_not_confirmed() {
    let host = TestHost {
        refuse: true,
        ..TestHost::default()
    };
    let (detail, _, _) = ring(presses("9"), host, limits()).await;
    assert_eq!(
        (detail.disposition, detail.refused),
        (None, Some(Disposition::DoNotCall))
    );
    assert!(detail.transcript.last().unwrap().text.contains("could not be saved"));
}

#[tokio::test]
async fn a_commit_that_takes_too_long_counts_as_not_saved() {
    let host = TestHost {
        slow: Some(Duration::from_secs(60)),
        ..TestHost::default()
    };
    let (detail, _, _) = ring(
        presses("2"),
        host,
        Limits {
            commit: SOON,
            ..limits()
        },
    )
    .await;
    assert_eq!(
        (detail.disposition, detail.refused),
        (None, Some(Disposition::AnotherTime))
    );
}

#[tokio::test]
async fn a_key_counts_although_the_owner_hangs_up_at_once() {
    let phone = FakePhone::Answers {
        after: SOON,
        keys: vec![(SOON, '9')],
        hangs_up: Some(Duration::from_millis(400)),
    };
    let host = TestHost {
        slow: Some(Duration::from_millis(900)),
        ..TestHost::default()
    };
    let (detail, host, _) = ring(phone, host, limits()).await;
    assert_eq!(detail.disposition, Some(Disposition::DoNotCall));
    assert_eq!(host.commits(), [Disposition::DoNotCall]);
    assert_eq!(detail.reason, "the owner hung up");
}

#[tokio::test]
async fn nothing_pressed_is_nothing_chosen() {
    let phone = FakePhone::Answers {
        after: SOON,
        keys: vec![],
        hangs_up: Some(Duration::from_secs(1)),
    };
    let (detail, host, _) = ring(phone, TestHost::default(), limits()).await;
    assert_eq!(
        (detail.result, detail.disposition),
        (CallResult::Answered, Some(Disposition::NothingChosen))
    );
    assert!(host.commits().is_empty());
}

#[tokio::test]
async fn the_longest_time_of_a_call_holds() {
    let phone = FakePhone::Answers {
        after: SOON,
        keys: vec![],
        hangs_up: None,
    };
    let (detail, _, _) = ring(
        phone,
        TestHost::default(),
        Limits {
            talk: Duration::from_secs(1),
            ..limits()
        },
    )
    .await;
    assert_eq!(detail.reason, "the longest time of a call was reached");
    assert!((900..3_000).contains(&detail.talk_ms), "{}", detail.talk_ms);
}

#[tokio::test]
async fn every_way_of_not_answering_has_its_class() {
    let refuses = |status| FakePhone::Refuses {
        after: Duration::ZERO,
        status,
    };
    for (phone, result, status) in [
        (refuses(486), CallResult::Busy, Some(486)),
        (refuses(603), CallResult::Declined, Some(603)),
        (refuses(404), CallResult::InvalidNumber, Some(404)),
        (refuses(503), CallResult::NetworkFailure, Some(503)),
        (refuses(480), CallResult::NoAnswer, Some(480)),
        (FakePhone::Silence, CallResult::NetworkFailure, None),
        (FakePhone::Stuck, CallResult::NetworkFailure, Some(487)),
        (
            FakePhone::Rings {
                after_cancel: Some(487),
            },
            CallResult::NoAnswer,
            Some(487),
        ),
        (FakePhone::Rings { after_cancel: None }, CallResult::NoAnswer, None),
    ] {
        let short = Limits {
            post_dial: SOON,
            ring: SOON,
            cancel: SOON,
            ..limits()
        };
        let named = format!("{phone:?}");
        let (detail, _, voice) = ring(phone, TestHost::default(), short).await;
        assert_eq!((detail.result, detail.sip_status), (result, status), "{named}");
        assert_eq!((detail.disposition, detail.talk_ms), (None, 0), "{named}");
        assert_eq!(voice.voice.free_channels(), 2, "{named}");
    }
}

#[tokio::test]
async fn a_voice_that_fails_rings_nobody() {
    let voice = TestVoice::mute([presses("1")]);
    let detail = voice.ring(order(Language::En), Arc::new(TestHost::default())).await;
    assert_eq!(detail.result, CallResult::NetworkFailure);
    assert!(
        detail.reason.contains("prompts could not be prepared"),
        "{}",
        detail.reason
    );
    assert_eq!(detail.post_dial_ms, 0);
    assert!(voice.stack.seen().is_empty());
}

#[tokio::test]
async fn a_call_without_a_free_channel_is_not_placed() {
    let waits = || FakePhone::Answers {
        after: SOON,
        keys: vec![],
        hangs_up: Some(Duration::from_secs(2)),
    };
    let voice = TestVoice::fake(
        [waits(), waits(), waits()],
        Limits {
            channel: SOON,
            ..limits()
        },
    );
    let call = || voice.ring(order(Language::En), Arc::new(TestHost::default()));
    let (first, second, third) = tokio::join!(call(), call(), call());
    let answered = [&first, &second, &third]
        .iter()
        .filter(|d| d.result == CallResult::Answered)
        .count();
    assert_eq!(answered, 2);
    assert!([first, second, third].iter().any(|d| d.reason.contains("channels")));
}

#[tokio::test]
async fn an_owner_who_rings_back_hears_the_same_flow() {
    let voice = TestVoice::fake([], limits());
    let host = Arc::new(TestHost {
        takes: Some(order(Language::En)),
        ..TestHost::default()
    });
    voice.serve(host.clone());
    let caller = order(Language::En).to;
    voice
        .stack
        .call_in(Some(caller.clone()), vec![(SOON, '0'), (SOON, '3')])
        .await
        .unwrap();
    let detail = host.finished_once().await;
    assert_eq!(
        (detail.direction, detail.disposition),
        (Direction::Inbound, Some(Disposition::PersonWanted))
    );
    assert_eq!((detail.digits.as_str(), host.callers()), ("03", vec![Some(caller)]));
}
