//! The SIP side against SIPp, one scenario for each outcome: the gate for any other version of the SIP library.
//! The scenarios are in `tests/sip`. They need `sipp` (Debian: sip-tester); those that press keys need raw sockets (root).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::sipp::{Sipp, free_port};
use common::*;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::{CallDetail, Limits, TrunkConfig, Voice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

struct Side {
    voice: Arc<Voice>,
}

async fn side(trunk: TrunkConfig, limits: Limits) -> Side {
    logs();
    let voice = Voice::start(config(trunk, limits)).await.unwrap();
    Side { voice: Arc::new(voice) }
}

/// Rings through a SIPp trunk and lets the scenario end.
async fn call(sipp: Sipp, trunk: TrunkConfig, limits: Limits, host: Arc<TestHost>) -> CallDetail {
    let side = side(trunk, limits).await;
    let ring = side.voice.ring(order(Language::ZhCn), host);
    let detail = tokio::time::timeout(Duration::from_secs(90), ring)
        .await
        .expect("a bounded call");
    sipp.passed().await;
    side.voice.shutdown().await;
    detail
}

async fn plain(name: &str, limits: Limits) -> CallDetail {
    let sipp = Sipp::start(name, &[]);
    let trunk = trunk(sipp.address);
    call(sipp, trunk, limits, Arc::new(TestHost::default())).await
}

#[track_caller]
fn unanswered(detail: &CallDetail, result: CallResult, status: Option<u16>) {
    assert_eq!((detail.result, detail.sip_status), (result, status), "{detail:?}");
    assert_eq!(
        (detail.disposition, detail.talk_ms, detail.digits.as_str()),
        (None, 0, ""),
        "{detail:?}"
    );
}

/// Not much longer than the limit, on a machine that may be slow to see that it is over.
#[track_caller]
fn soon_after(limit: Duration, took_ms: u64) {
    let took = Duration::from_millis(took_ms);
    assert!(took < limit * 3, "{took:?}, with a limit of {limit:?}");
}

/// Short enough for a test, long enough for a busy machine.
fn short() -> Limits {
    Limits {
        ring: Duration::from_secs(2),
        cancel: Duration::from_secs(3),
        ..limits()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_class() {
    for (name, result, status) in [
        ("uas-486", CallResult::Busy, 486),
        ("uas-603", CallResult::Declined, 603),
        ("uas-404", CallResult::InvalidNumber, 404),
        ("uas-503", CallResult::NetworkFailure, 503),
    ] {
        unanswered(&plain(name, limits()).await, result, Some(status));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_and_the_call_is_cancelled() {
    let detail = plain("uas-no-answer", short()).await;
    unanswered(&detail, CallResult::NoAnswer, Some(487));
    assert!(detail.ring_ms >= 1_900, "{}", detail.ring_ms);
    soon_after(short().ring, detail.ring_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_without_487_ends_at_our_own_deadline() {
    let detail = plain("uas-no-487", short()).await;
    unanswered(&detail, CallResult::NoAnswer, None);
    // Ours, not that of the SIP library, which would tell a failure.
    assert_eq!(detail.reason, "given up; the trunk did not confirm that it stopped");
    assert!(detail.ring_ms >= 4_900, "{}", detail.ring_ms);
    soon_after(short().ring + short().cancel, detail.ring_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_crosses_the_cancel_is_ended() {
    let detail = plain("uas-crossing", short()).await;
    unanswered(&detail, CallResult::NoAnswer, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_takes_the_call_and_does_nothing_is_given_up() {
    let detail = plain(
        "uas-stuck",
        Limits {
            trying: Duration::from_secs(2),
            ..short()
        },
    )
    .await;
    unanswered(&detail, CallResult::NetworkFailure, Some(487));
    assert!(
        detail.reason.starts_with("we gave up, since nothing rang in time"),
        "{}",
        detail.reason
    );
    soon_after(Duration::from_secs(2), detail.post_dial_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_trunk_is_known_within_six_seconds() {
    assert_eq!(Limits::default().post_dial, Duration::from_secs(6));
    let dead = trunk(SocketAddr::from(([127, 0, 0, 1], free_port())));
    let limit = Duration::from_secs(1);
    let limits = Limits {
        post_dial: limit,
        ..Limits::default()
    };
    let side = side(dead, limits).await;
    let detail = side
        .voice
        .ring(order(Language::En), Arc::new(TestHost::default()))
        .await;
    unanswered(&detail, CallResult::NetworkFailure, None);
    // By that limit, not by one of the SIP library's.
    assert_eq!(detail.reason, "we gave up, since the trunk did not answer");
    assert!(detail.post_dial_ms >= 950, "{}", detail.post_dial_ms);
    soon_after(limit, detail.post_dial_ms);
}

async fn keys(digits: &str, refuse: bool) -> CallDetail {
    let sipp = Sipp::start("uas-digits", &["-key", "digits", digits, "-d", "800", "-rtp_echo"]);
    let trunk = trunk(sipp.address);
    let host = TestHost {
        refuse,
        ..TestHost::default()
    };
    call(sipp, trunk, limits(), Arc::new(host)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_its_effect() {
    let calls = [
        ("1", Disposition::AppointmentBooked),
        ("2", Disposition::AnotherTime),
        ("3", Disposition::PersonWanted),
        ("9", Disposition::DoNotCall),
        ("02", Disposition::AnotherTime),
        ("478", Disposition::PersonWanted),
    ];
    // At the same time: six trunks, six hubs.
    let all = calls.map(|(digits, disposition)| async move { (keys(digits, false).await, digits, disposition) });
    for (detail, digits, disposition) in futures::future::join_all(all).await {
        assert_eq!(detail.digits, digits, "{detail:?}");
        assert_eq!(
            (detail.result, detail.disposition),
            (CallResult::Answered, Some(disposition)),
            "{digits}"
        );
        assert_eq!(detail.refused, None);
        assert!(
            detail.audio.packets_received > 50 && detail.audio.packets_sent > 100,
            "{:?}",
            detail.audio
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_is_not_saved_is_told_so() {
    let detail = keys("9", true).await;
    assert_eq!(
        (detail.disposition, detail.refused),
        (None, Some(Disposition::DoNotCall))
    );
    assert!(
        detail.transcript.last().unwrap().text.contains("没能保存"),
        "{:?}",
        detail.transcript
    );
}

/// The response to the scenario's fixed nonce, by hand: MD5(MD5(hub:trunk.test:secret):8f2c0c1d4b:MD5(INVITE:uri)).
const RESPONSE: &str = "5249efef2e7d2ace3f13a332945e12ff";

#[tokio::test(flavor = "multi_thread")]
async fn digest_407_is_answered() {
    let sipp = Sipp::start("uas-digest-digits", &["-key", "digits", "1", "-d", "800", "-rtp_echo"]);
    let side = side(with_password(sipp.address, "secret"), limits()).await;
    let detail = side
        .voice
        .ring(order(Language::ZhCn), Arc::new(TestHost::default()))
        .await;
    assert_eq!(detail.disposition, Some(Disposition::AppointmentBooked), "{detail:?}");
    assert!(
        detail.audio.packets_received > 50 && detail.audio.packets_sent > 100,
        "{:?}",
        detail.audio
    );
    assert!(sipp.account().contains(RESPONSE), "{}", sipp.account());
    sipp.passed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digest_401_with_qop_is_verified() {
    for (password, result, status) in [
        ("secret", CallResult::Busy, 486),
        ("wrong", CallResult::TrunkRefused, 403),
    ] {
        let sipp = Sipp::start("uas-401", &[]);
        let trunk = with_password(sipp.address, password);
        let detail = call(sipp, trunk, limits(), Arc::new(TestHost::default())).await;
        unanswered(&detail, result, Some(status));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_password_stops_at_once() {
    for (password, invites) in [(Some("wrong"), 2), (None, 1)] {
        let sipp = Sipp::start("uas-digest-wrong", &[]);
        let trunk = password.map_or_else(|| trunk(sipp.address), |password| with_password(sipp.address, password));
        let side = side(trunk, limits()).await;
        let detail = side
            .voice
            .ring(order(Language::ZhCn), Arc::new(TestHost::default()))
            .await;
        unanswered(&detail, CallResult::TrunkRefused, Some(407));
        // Nothing is sent from here on, and what was sent before is read before a word of ours.
        side.voice.shutdown().await;
        sipp.reads_to_here().await;
        assert_eq!(sipp.messages("INVITE "), invites, "{}", sipp.account());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_hangs_up_in_the_middle_of_the_prompt() {
    let detail = plain("uas-hangs-up", limits()).await;
    assert_eq!(
        (detail.result, detail.disposition),
        (CallResult::HungUpEarly, None),
        "gone within five seconds"
    );
    assert_eq!(detail.reason, "the owner hung up");
    assert!(detail.talk_ms >= 1_000, "{}", detail.talk_ms);
    // After its end it would have been said again.
    assert_eq!(detail.transcript.len(), 1, "{:?}", detail.transcript);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_usable_audio_is_ended_and_not_called_answered() {
    for audio in ["audio 0 RTP/AVP 8", "audio 9000 RTP/AVP 18", "audio 9000 RTP/SAVP 8"] {
        let sipp = Sipp::start("uas-no-audio", &["-key", "audio", audio]);
        let trunk = trunk(sipp.address);
        let detail = call(sipp, trunk, limits(), Arc::new(TestHost::default())).await;
        assert_eq!(
            (detail.result, detail.sip_status, detail.disposition),
            (CallResult::NoAudio, Some(200), None),
            "{audio}: {detail:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_inside_the_call_are_answered() {
    let detail = plain("uas-reinvite", limits()).await;
    assert!(was_taken(&detail), "{detail:?}");
    assert!(detail.audio.packets_sent > 10, "{:?}", detail.audio);
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_is_mirrored_and_a_reinvite_without_an_offer_resumes() {
    let detail = plain("uas-hold", limits()).await;
    assert_eq!(
        (was_taken(&detail), detail.reason.as_str()),
        (true, "the owner hung up"),
        "{detail:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_inside_signalling_count() {
    let detail = plain("uas-info", limits()).await;
    assert_eq!(
        (detail.digits.as_str(), detail.disposition),
        ("01", Some(Disposition::AppointmentBooked)),
        "{detail:?}"
    );
    assert!(detail.no_key_way, "{detail:?}");
}

/// Rings the hub from SIPp, which stands at `from`.
fn sipp_calls(name: &str, voice: &Voice, arguments: &[&str]) -> Sipp {
    let target = voice.local().to_string();
    let all: Vec<&str> = arguments.iter().copied().chain([target.as_str()]).collect();
    Sipp::start(name, &all)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_rings_back() {
    // The scenario states its number in From and asserts nothing.
    let believing = TrunkConfig {
        believe_from: true,
        ..trunk("127.0.0.1:9".parse().unwrap())
    };
    let side = side(believing, limits()).await;
    let host = Arc::new(TestHost {
        takes: Some(order(Language::ZhCn)),
        ..TestHost::default()
    });
    let (voice, served) = (Arc::clone(&side.voice), host.clone());
    tokio::spawn(async move { voice.serve_inbound(served, CancellationToken::new()).await });
    let arguments = [
        "-key",
        "caller",
        "+8613800008412",
        "-key",
        "digits",
        "1",
        "-d",
        "800",
        "-rtp_echo",
    ];
    let sipp = sipp_calls("uac-digits", &side.voice, &arguments);
    let detail = host.finished_once().await;
    assert_eq!(detail.disposition, Some(Disposition::AppointmentBooked), "{detail:?}");
    assert_eq!(host.callers(), [Some(number("+8613800008412"))]);
    assert_eq!(*host.trunks.lock().unwrap(), ["test"]);
    sipp.passed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_from_elsewhere_and_unwanted_ones_are_refused() {
    for (proxy, refusal) in [("192.0.2.1:5060", "403"), ("127.0.0.1:9", "603")] {
        let side = side(trunk(proxy.parse().unwrap()), limits()).await;
        let host = Arc::new(TestHost::default());
        let (voice, served) = (Arc::clone(&side.voice), host.clone());
        tokio::spawn(async move { voice.serve_inbound(served, CancellationToken::new()).await });
        let sipp = sipp_calls(
            &format!("uac-{refusal}"),
            &side.voice,
            &["-key", "caller", "+8613800008412"],
        );
        sipp.passed().await;
        assert_eq!(host.callers().len(), usize::from(refusal == "603"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_alone_is_believed_only_where_the_trunk_is_said_to_check_it() {
    for (believe_from, known) in [(true, Some(number("+8613800008412"))), (false, None)] {
        let trunk = TrunkConfig {
            believe_from,
            ..trunk("127.0.0.1:9".parse().unwrap())
        };
        let side = side(trunk, limits()).await;
        let host = Arc::new(TestHost::default());
        let (voice, served) = (Arc::clone(&side.voice), host.clone());
        tokio::spawn(async move { voice.serve_inbound(served, CancellationToken::new()).await });
        let sipp = sipp_calls("uac-603", &side.voice, &["-key", "caller", "+8613800008412"]);
        sipp.passed().await;
        assert_eq!(host.callers(), [known]);
    }
}
