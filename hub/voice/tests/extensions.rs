//! What far sides are told that the hub can do, and what it says of what it cannot; against a far side that plays each message by
//! hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::was_taken;
use common::wire::{Wire, header, over, rings, serves};

const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_insists_on_and_we_cannot_is_named() {
    let (wire, audio) = (Wire::open().await, Wire::open().await);
    let (voice, host) = serves(&wire).await;
    let offer = audio.described();
    for (insists, named) in [
        ("Require: 100rel\r\n", "100rel"),
        ("Require: replaces, foo\r\n", "replaces, foo"),
    ] {
        let caller = Wire::open().await;
        let invite = caller.invite(voice.local(), (insists, &offer));
        caller.send(&invite, voice.local()).await;
        let (answer, hub) = caller.next("SIP/2.0 4").await;
        assert!(answer.starts_with("SIP/2.0 420 "), "{answer}");
        assert_eq!(header(&answer, "Unsupported"), Some(named), "{answer}");
        let ack = caller.follows(&invite, &answer, ("ACK", 1), "");
        caller.send(&ack.replace("z9hG4bKACK1", "z9hG4bKinvite"), hub).await;
    }
    assert!(host.callers().is_empty(), "nobody was asked about these calls");
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_answers_say_what_we_can() {
    let (wire, audio) = (Wire::open().await, Wire::open().await);
    let (voice, call, invite) = rings(&wire).await;
    assert_eq!(header(&invite.0, "Allow"), Some(ALLOW), "{}", invite.0);
    assert_eq!(header(&invite.0, "Accept"), Some("application/sdp"), "{}", invite.0);
    assert_eq!(header(&invite.0, "Supported"), Some("timer"), "{}", invite.0);
    wire.answer(&invite, "", &audio.described()).await;
    let options = wire.asks(&invite, ("OPTIONS", 1), ("", "")).await;
    assert!(options.starts_with("SIP/2.0 200 "), "{options}");
    assert_eq!(
        (header(&options, "Allow"), header(&options, "Accept")),
        (Some(ALLOW), Some("application/sdp")),
        "{options}"
    );
    let insists = wire.asks(&invite, ("UPDATE", 2), ("Require: foo\r\n", "")).await;
    assert!(insists.starts_with("SIP/2.0 420 "), "{insists}");
    assert_eq!(header(&insists, "Unsupported"), Some("foo"));
    // A description is not what an INFO carries here.
    let info = wire.asks(&invite, ("INFO", 3), ("", &audio.described())).await;
    assert!(info.starts_with("SIP/2.0 415 "), "{info}");
    assert_eq!(
        header(&info, "Accept"),
        Some("application/dtmf-relay, application/dtmf")
    );
    wire.asks(&invite, ("BYE", 4), ("", "")).await;
    let detail = over(call).await;
    assert!(was_taken(&detail), "{detail:?}");
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_asks_outside_a_call_is_told_the_same() {
    let wire = Wire::open().await;
    let (voice, _) = serves(&wire).await;
    for (method, status) in [("OPTIONS", "SIP/2.0 200 "), ("SUBSCRIBE", "SIP/2.0 405 ")] {
        let asker = Wire::open().await;
        let asks = asker.invite(voice.local(), ("", "")).replace("INVITE", method);
        asker.send(&asks, voice.local()).await;
        let (answer, _) = asker.next("SIP/2.0 ").await;
        assert!(answer.starts_with(status), "{answer}");
        assert_eq!(header(&answer, "Allow"), Some(ALLOW), "{answer}");
    }
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_in_is_answered_with_what_we_can() {
    let (wire, audio) = (Wire::open().await, Wire::open().await);
    let (voice, host) = serves(&wire).await;
    let invite = wire.invite(voice.local(), ("", &audio.described()));
    wire.send(&invite, voice.local()).await;
    let (answer, hub) = wire.next("SIP/2.0 200 ").await;
    assert_eq!(
        (header(&answer, "Allow"), header(&answer, "Accept")),
        (Some(ALLOW), Some("application/sdp")),
        "{answer}"
    );
    wire.send(&wire.follows(&invite, &answer, ("ACK", 1), ""), hub).await;
    wire.send(&wire.follows(&invite, &answer, ("BYE", 2), ""), hub).await;
    host.finished_once().await;
    voice.shutdown().await;
}
