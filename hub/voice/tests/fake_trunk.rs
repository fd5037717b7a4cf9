//! The whole of a call but SIP: prompts, flow, audio and record against the fake trunk.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, correlation, eventually, limits, main_number, order, other_trunk, trunk};
use hub_core::call_result::{CallResult, Disposition, HUNG_UP_EARLY};
use hub_core::language::Language;
use hub_core::metric::MetricValue;
use hub_voice::prompt::tts::EspeakTts;
use hub_voice::signaling::CallStack;
use hub_voice::signaling::fake::{FakePhone, FakeTrunk};
use hub_voice::{CallDetail, CallOrder, CallProgress, Direction, Limits, Speaker, TrunkConfig, Voice, VoiceError};
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
        hangs_up: Some(HUNG_UP_EARLY + SOON * 2),
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
    let talk = Duration::from_secs(1);
    let (detail, _, _) = ring(phone, TestHost::default(), Limits { talk, ..limits() }).await;
    assert_eq!(detail.reason, "the longest time of a call was reached");
    let talked = Duration::from_millis(detail.talk_ms);
    assert!(talked >= talk * 9 / 10 && talked < talk * 3, "{talked:?}");
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
            trying: SOON,
            ring: SOON,
            cancel: SOON,
            ..limits()
        };
        let named = format!("{phone:?}");
        let (detail, _, voice) = ring(phone, TestHost::default(), short).await;
        assert_eq!((detail.result, detail.sip_status), (result, status), "{named}");
        assert_eq!((detail.disposition, detail.talk_ms), (None, 0), "{named}");
        assert_eq!(voice.voice.free_channels(), 4, "{named}");
    }
}

#[tokio::test]
async fn a_voice_that_fails_rings_nobody() {
    let voice = TestVoice::mute([presses("1")]);
    let detail = voice.ring(order(Language::En), Arc::new(TestHost::default())).await;
    assert_eq!(detail.result, CallResult::NotPlaced);
    assert!(
        detail.reason.contains("prompts could not be prepared"),
        "{}",
        detail.reason
    );
    assert!(detail.this_call_only, "another text may be spoken");
    assert_eq!(detail.post_dial_ms, 0);
    assert!(voice.stack.seen().is_empty());
}

#[tokio::test]
async fn a_call_without_a_free_channel_is_not_placed() {
    let waits = || FakePhone::Answers {
        after: SOON,
        keys: vec![],
        hangs_up: Some(HUNG_UP_EARLY + SOON),
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
        .call_in(Some(caller.clone()), main_number(), vec![(SOON, '0'), (SOON, '3')])
        .await
        .unwrap();
    let detail = host.finished_once().await;
    assert_eq!(
        (detail.direction, detail.disposition),
        (Direction::Inbound, Some(Disposition::PersonWanted))
    );
    assert_eq!((detail.digits.as_str(), host.callers()), ("03", vec![Some(caller)]));
}

fn waits() -> FakePhone {
    FakePhone::Answers {
        after: SOON,
        keys: vec![],
        hangs_up: None,
    }
}

fn over(trunk: &str) -> CallOrder {
    CallOrder {
        trunk: trunk.into(),
        ..order(Language::En)
    }
}

#[tokio::test]
async fn a_call_goes_out_over_the_trunk_it_names_and_no_other() {
    let voice = TestVoice::fake(
        [waits(), waits(), presses("1")],
        Limits {
            channel: SOON,
            ..limits()
        },
    );
    let call = |trunk| voice.ring(over(trunk), Arc::new(TestHost::default()));
    let full = async {
        eventually("two calls of the first trunk", || {
            (voice.voice.free_channels() == 2).then_some(())
        })
        .await;
        let told = voice.voice.metrics();
        assert_eq!(
            told.iter().map(|metric| metric.name).collect::<Vec<_>>(),
            [
                "voice_channels_free",
                "voice_late_ticks_total",
                "voice_callers_unknown_total",
                "voice_calls_up",
                "voice_calls_total",
                "voice_setup_seconds",
                "voice_packets_total"
            ]
        );
        assert_eq!(told[3].samples[0].value, MetricValue::Number(2.0), "{told:?}");
        assert!(voice.voice.notices().is_empty());
        // The other trunk has two free channels; they are not this company's.
        let calls = (call("test").await, call("other").await, call("nobody's").await);
        voice.voice.hang_up_all();
        calls
    };
    let (_, _, (third, others, unknown)) = tokio::join!(call("test"), call("test"), full);
    assert_eq!(third.result, CallResult::NetworkFailure);
    assert!(third.reason.contains("channels of the trunk test"), "{}", third.reason);
    assert_eq!(others.disposition, Some(Disposition::AppointmentBooked));
    assert_eq!(unknown.result, CallResult::TrunkRefused);
    assert!(unknown.reason.contains("nobody's"), "{}", unknown.reason);
    let seen = eventually("three accounts", || {
        Some(voice.stack.seen()).filter(|seen| seen.len() == 3)
    })
    .await;
    let mut trunks: Vec<String> = seen.into_iter().map(|seen| seen.trunk).collect();
    trunks.sort();
    assert_eq!(trunks, ["other", "test", "test"]);
}

#[tokio::test]
async fn trunks_have_names_of_their_own() {
    let stack = Arc::new(FakeTrunk::new([]).unwrap());
    let proxy = stack.local();
    let same = TrunkConfig {
        name: "test".into(),
        ..other_trunk(proxy)
    };
    let config = common::config_of(vec![trunk(proxy), same], limits());
    let started = Voice::with_stack(config, stack, Arc::new(EspeakTts::default()));
    assert!(matches!(started, Err(VoiceError::SameName(name)) if name == "test"));
}

#[tokio::test]
async fn a_call_that_comes_in_belongs_to_the_trunk_whose_number_was_called() {
    let voice = TestVoice::fake([], limits());
    let host = Arc::new(TestHost::default());
    voice.serve(host.clone());
    let other = other_trunk(voice.stack.local()).caller_number;
    for called in [Some(other), main_number()] {
        voice.stack.call_in(None, called, vec![]).await.unwrap();
        let calls = host.trunks.lock().unwrap().len();
        eventually("the host is asked", || {
            (host.trunks.lock().unwrap().len() > calls).then_some(())
        })
        .await;
    }
    assert_eq!(*host.trunks.lock().unwrap(), ["other", "test"]);
}

#[tokio::test]
async fn a_decision_that_comes_too_late_still_ends_its_attempt_once() {
    let late = Limits {
        decide: SOON,
        ..limits()
    };
    let voice = TestVoice::fake([], late);
    let host = Arc::new(TestHost {
        takes: Some(order(Language::En)),
        decides_after: SOON * 3,
        ..TestHost::default()
    });
    voice.serve(host.clone());
    voice
        .stack
        .call_in(Some(order(Language::En).to), main_number(), vec![])
        .await
        .unwrap();
    voice.seen_once().await;
    // The caller has not waited for the decision.
    assert!(host.details.lock().unwrap().is_empty());
    assert_eq!(voice.voice.free_channels(), 4);
    let detail = host.finished_once().await;
    assert_eq!(
        (detail.direction, detail.result, detail.reason.as_str()),
        (Direction::Inbound, CallResult::NetworkFailure, "answered too late")
    );
    // Whatever else the telephone side does with a call is done then.
    voice.voice.shutdown().await;
    assert_eq!(host.details.lock().unwrap().len(), 1);
    assert!(host.steps().is_empty(), "nothing was played");
}

/// A call that waits for one of these does not end within any test.
fn endless() -> Limits {
    let an_hour = Duration::from_secs(3_600);
    Limits {
        ring: an_hour,
        cancel: an_hour,
        talk: an_hour,
        commit: an_hour,
        ..limits()
    }
}

/// Waits for calls with [`endless`] limits.
async fn without_limits<T>(calls: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(Duration::from_secs(60), calls).await;
    ended.expect("nothing waits for a limit")
}

#[tokio::test]
async fn all_calls_hang_up_and_each_tells_its_end() {
    let rings = FakePhone::Rings { after_cancel: None };
    let voice = TestVoice::fake([waits(), rings], endless());
    let inbound = Arc::new(TestHost {
        takes: Some(over("other")),
        ..TestHost::default()
    });
    voice.serve(inbound.clone());
    let other = other_trunk(voice.stack.local()).caller_number;
    voice.stack.call_in(None, Some(other), vec![]).await.unwrap();
    let (talks, unanswered) = (Arc::new(TestHost::default()), Arc::new(TestHost::default()));
    let ends = async {
        let step = |host: &TestHost, step| host.steps().contains(&step).then_some(());
        let saying = |host: &TestHost| {
            let said = host
                .steps()
                .iter()
                .any(|step| matches!(step, CallProgress::Saying { .. }));
            said.then_some(())
        };
        eventually("a conversation", || saying(&talks)).await;
        eventually("a phone that rings", || step(&unanswered, CallProgress::Ringing)).await;
        eventually("a caller's conversation", || saying(&inbound)).await;
        voice.voice.hang_up_all();
    };
    // The first phone of the script is the first that is rung.
    let second = async {
        let rings = || talks.steps().contains(&CallProgress::Ringing).then_some(());
        eventually("the first call", rings).await;
        voice.ring(over("test"), unanswered.clone()).await
    };
    let first = voice.ring(over("test"), talks.clone());
    let (first, second, ()) = without_limits(async { tokio::join!(first, second, ends) }).await;
    let back = inbound.finished_once().await;
    for (detail, result) in [
        (&first, CallResult::Answered),
        (&second, CallResult::NoAnswer),
        (&back, CallResult::Answered),
    ] {
        assert_eq!(
            (detail.result, detail.reason.as_str()),
            (result, "the hub is stopping"),
            "{detail:?}"
        );
    }
    let seen = eventually("three accounts", || {
        Some(voice.stack.seen()).filter(|seen| seen.len() == 3)
    })
    .await;
    assert!(seen.iter().all(|seen| seen.ended_by_hub));
    let detail = voice.ring(over("test"), Arc::new(TestHost::default())).await;
    assert_eq!(
        (detail.reason.as_str(), detail.post_dial_ms),
        ("the hub is stopping", 0)
    );
}

#[tokio::test]
async fn a_key_under_way_when_all_calls_end_counts_if_it_is_saved_soon() {
    for (slow, saved) in [(SOON, true), (Duration::from_secs(3_600), false)] {
        let voice = TestVoice::fake([presses("9")], endless());
        let host = Arc::new(TestHost {
            slow: Some(slow),
            ..TestHost::default()
        });
        let stops = async {
            let pressed = || host.steps().contains(&CallProgress::Pressed { key: '9' }).then_some(());
            eventually("a key", pressed).await;
            voice.voice.hang_up_all();
        };
        let ring = voice.ring(order(Language::En), host.clone());
        let (detail, ()) = without_limits(async { tokio::join!(ring, stops) }).await;
        let chosen = Some(Disposition::DoNotCall);
        let expected = if saved { (chosen, None) } else { (None, chosen) };
        assert_eq!((detail.disposition, detail.refused), expected);
    }
}

#[tokio::test]
async fn the_end_waits_until_the_records_are_delivered() {
    let voice = TestVoice::fake([], limits());
    let host = Arc::new(TestHost {
        takes: Some(order(Language::En)),
        finishes_after: SOON * 3,
        ..TestHost::default()
    });
    voice.serve(host.clone());
    voice
        .stack
        .call_in(Some(order(Language::En).to), main_number(), vec![])
        .await
        .unwrap();
    eventually("a conversation", || {
        host.steps().contains(&CallProgress::Answered).then_some(())
    })
    .await;
    voice.voice.shutdown().await;
    let details = host.details.lock().unwrap();
    assert_eq!(details.len(), 1, "delivered before the end");
    assert_eq!(details[0].reason, "the hub is stopping");
}
