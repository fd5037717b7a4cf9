//! What far sides do with keys, audio and time, over the fake trunk: real packets, no SIP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, config_of, correlation, limits, order, trunk};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::prompt::tts::EspeakTts;
use hub_voice::signaling::CallStack;
use hub_voice::signaling::fake::{FakePhone, FakeTrunk};
use hub_voice::{CallDetail, CallProgress, Limits, TrunkConfig, Voice};
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
        (dead.result, dead.disposition, dead.reason.as_str()),
        (CallResult::NoAudio, None, "nothing came from the far side any more"),
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
    let waits = FakePhone::Elsewhere {
        keys: Vec::new(),
        hangs_up: None,
    };
    let detail = ring(waits, limits).await;
    assert_eq!(
        (detail.result, detail.disposition, detail.reason.as_str()),
        (
            CallResult::NoAudio,
            None,
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
async fn a_call_without_a_sound_of_the_far_side_is_a_fault_of_the_line_and_one_with_a_key_is_none() {
    let elsewhere = |keys, hangs_up| FakePhone::Elsewhere { keys, hangs_up };
    let nothing = FakePhone::Describes {
        lines: "m=audio PORT RTP/AVP 8\r\n".to_owned(),
        // Not gone at once.
        hangs_up: SOON * 20,
    };
    let on_hold = FakePhone::Describes {
        lines: "m=audio PORT RTP/AVP 8\r\na=inactive\r\n".to_owned(),
        // Not gone at once.
        hangs_up: SOON * 20,
    };
    let short = Limits {
        silence: SOON,
        ..limits()
    };
    let table = [
        // Also where its owner ends it.
        (
            elsewhere(Vec::new(), Some(SOON * 10)),
            limits(),
            (CallResult::NoAudio, None),
            "the owner hung up; audio came only from addresses that were not announced",
        ),
        // The owner heard us, and was heard by another way.
        (
            elsewhere(vec![(SOON, '3')], None),
            limits(),
            (CallResult::Answered, Some(Disposition::PersonWanted)),
            "we hung up at the end",
        ),
        // A phone that is silent while nobody speaks, before we give it up.
        (
            nothing,
            limits(),
            (CallResult::Answered, Some(Disposition::NothingChosen)),
            "the owner hung up",
        ),
        // It says that it sends nothing.
        (
            on_hold,
            short,
            (CallResult::Answered, Some(Disposition::NothingChosen)),
            "the owner hung up",
        ),
    ];
    let calls = table.map(|(phone, limits, outcome, reason)| async move {
        let case = format!("{phone:?}");
        (case, ring(phone, limits).await, outcome, reason)
    });
    for (case, detail, outcome, reason) in futures::future::join_all(calls).await {
        assert_eq!(
            ((detail.result, detail.disposition), detail.reason.as_str()),
            (outcome, reason),
            "{case}: {detail:?}"
        );
        assert_eq!(detail.audio.packets_received, 0, "{case}");
    }
}

#[tokio::test]
async fn a_far_side_that_said_it_would_send_nothing_is_not_taken_for_dead() {
    let silence = Duration::from_secs(1);
    let short = Limits { silence, ..limits() };
    let hung_up = "the owner hung up";
    let table = [
        ("sendrecv", "nothing came from the far side any more", true),
        ("recvonly", hung_up, true),
        ("sendonly", hung_up, false),
        ("inactive", hung_up, false),
    ];
    let calls = table.map(|(direction, reason, hears)| async move {
        let phone = FakePhone::Describes {
            lines: format!("m=audio PORT RTP/AVP 8\r\na={direction}\r\n"),
            hangs_up: silence * 4,
        };
        (direction, ring(phone, short).await, reason, hears)
    });
    for (direction, detail, reason, hears) in futures::future::join_all(calls).await {
        assert_eq!(detail.reason, reason, "{direction}: {detail:?}");
        let sent = detail.audio.packets_sent;
        // What is sent at all is sent all the time: 50 packets a second.
        assert_eq!(sent > 0, hears, "{direction}: {sent}");
    }
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
async fn an_answer_without_audio_that_we_can_use_is_a_fault_of_the_line() {
    let none = "no RTP/AVP audio stream";
    for (lines, why) in [
        ("", none),
        ("m=audio 0 RTP/AVP 8\r\n", none),
        ("m=audio PORT RTP/SAVP 8\r\n", none),
        ("m=audio PORT RTP/AVPF 8\r\n", none),
        ("m=image PORT udptl t38\r\n", none),
        ("m=audio PORT RTP/AVP 18\r\n", "neither PCMU nor PCMA"),
    ] {
        let phone = FakePhone::Describes {
            lines: lines.to_owned(),
            hangs_up: Duration::from_secs(60),
        };
        let voice = TestVoice::fake([phone], limits());
        let host = Arc::new(TestHost::default());
        let detail = voice.ring(order(Language::En), host.clone()).await;
        assert_eq!(
            (detail.result, detail.sip_status, detail.disposition),
            (CallResult::NoAudio, Some(200), None),
            "{lines:?}: {detail:?}"
        );
        assert!(detail.reason.contains(why), "{lines:?}: {}", detail.reason);
        assert!(
            !host.steps().contains(&CallProgress::Answered),
            "nobody was spoken with"
        );
        assert!(voice.seen_once().await.ended_by_hub, "{lines:?}");
    }
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
