//! Who offers and who answers, as SIP carries it: before the answer, in the answer, in the ACK; against a far side that plays
//! each message by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::was_taken;
use common::wire::{Wire, body, header, over, reply, rings, serves};
use hub_core::call_result::CallResult;
use hub_voice::media::sdp;
use std::time::Duration;

/// Long enough for the first packet on a busy machine; a packet comes every 20 ms.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_183_says_counts_where_the_200_says_nothing() {
    for (phone, talks) in [("far", true), ("other", false)] {
        let (wire, audio) = (Wire::open().await, Wire::open().await);
        let (voice, call, invite) = rings(&wire).await;
        let early = reply(&invite.0, "183 Session Progress", "", &audio.described());
        wire.send(&early.replace(";tag=far", &format!(";tag={phone}")), invite.1)
            .await;
        wire.answer(&invite, "", "").await;
        if talks {
            assert!(audio.hears(SOON).await, "our audio goes where the 183 says");
            let bye = wire.asks(&invite, ("BYE", 1), ("", "")).await;
            assert!(bye.starts_with("SIP/2.0 200 "), "{bye}");
        } else {
            // Another phone's description is no description of the one that answered.
            let (bye, hub) = wire.next("BYE ").await;
            wire.send(&reply(&bye, "200 OK", "", ""), hub).await;
        }
        let detail = over(call).await;
        assert_eq!(was_taken(&detail), talks, "{detail:?}");
        assert_eq!(detail.result == CallResult::NoAudio, !talks, "{detail:?}");
        assert_eq!(detail.sip_status, Some(200), "{detail:?}");
        voice.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reinvite_without_an_offer_gets_ours_and_its_answer_moves_the_audio() {
    let (wire, first, second) = (Wire::open().await, Wire::open().await, Wire::open().await);
    let (voice, call, invite) = rings(&wire).await;
    let one = first.described().replace("RTP/AVP 8 0 101", "RTP/AVP 0 101");
    wire.answer(&invite, "", &one).await;
    assert!(first.hears(SOON).await, "audio as it was agreed on first");
    let answer = wire.asks(&invite, ("INVITE", 1), ("", "")).await;
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert!(body(&answer).contains("RTP/AVP 8 0 101"), "all that we can: {answer}");
    assert_eq!(
        sdp::understand(body(&answer).as_bytes()).unwrap().remote,
        sdp::understand(body(&invite.0).as_bytes()).unwrap().remote,
        "it stays where it is"
    );
    assert!(!second.hears(Duration::from_millis(200)).await, "nothing is agreed yet");
    let ack = wire.inside(&invite, ("ACK", 1), ("", &second.described()));
    wire.send(&ack, invite.1).await;
    assert!(second.hears(SOON).await, "our audio goes where the ACK says");
    // An UPDATE that says nothing of audio leaves it where it is; hold is answered by its mirror, in as many lines.
    let update = wire.asks(&invite, ("UPDATE", 2), ("", "")).await;
    assert!(
        update.starts_with("SIP/2.0 200 ") && body(&update).is_empty(),
        "{update}"
    );
    let hold = second.described().replace("a=sendrecv", "a=sendonly") + "m=video 9 RTP/AVP 96\r\n";
    let held = wire.asks(&invite, ("INVITE", 3), ("", &hold)).await;
    wire.send(&wire.inside(&invite, ("ACK", 3), ("", "")), invite.1).await;
    assert!(held.starts_with("SIP/2.0 200 "), "{held}");
    assert!(body(&held).contains("a=recvonly\r\nm=video 0 RTP/AVP 96\r\n"), "{held}");
    let fax = "v=0\r\no=x 1 3 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 9 udptl t38\r\n";
    let refused = wire.asks(&invite, ("INVITE", 4), ("", fax)).await;
    assert!(refused.starts_with("SIP/2.0 488 "), "{refused}");
    wire.asks(&invite, ("BYE", 5), ("", "")).await;
    let detail = over(call).await;
    assert_eq!(
        (was_taken(&detail), detail.reason.as_str()),
        (true, "the owner hung up"),
        "{detail:?}"
    );
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_waits_for_our_offer_answers_it_in_the_ack() {
    for answers in [true, false] {
        let (wire, audio) = (Wire::open().await, Wire::open().await);
        let (voice, host) = serves(&wire).await;
        let invite = wire.invite(voice.local(), ("", ""));
        wire.send(&invite, voice.local()).await;
        let (answer, hub) = wire.next("SIP/2.0 200 ").await;
        assert!(body(&answer).contains("RTP/AVP 8 0 101"), "{answer}");
        let theirs = if answers { audio.described() } else { String::new() };
        let ack = wire.follows(&invite, &answer, ("ACK", 1), &theirs);
        wire.send(&ack, hub).await;
        if answers {
            assert!(audio.hears(SOON).await, "our audio goes where the ACK says");
            wire.send(&wire.follows(&invite, &answer, ("BYE", 2), ""), hub).await;
        } else {
            let (bye, hub) = wire.next("BYE ").await;
            wire.send(&reply(&bye, "200 OK", "", ""), hub).await;
        }
        let detail = host.finished_once().await;
        assert_eq!(was_taken(&detail), answers, "{detail:?}");
        assert_eq!(detail.result == CallResult::NoAudio, !answers, "{detail:?}");
        assert_eq!(detail.sip_status, Some(200), "{detail:?}");
        voice.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_gets_a_line_for_each_line_and_the_mirror_of_hold() {
    let (wire, audio) = (Wire::open().await, Wire::open().await);
    let (voice, host) = serves(&wire).await;
    let offer = audio.described().replace("a=sendrecv", "a=recvonly") + "m=video 9 RTP/AVP 96\r\n";
    let invite = wire.invite(voice.local(), ("", &offer));
    wire.send(&invite, voice.local()).await;
    let (answer, hub) = wire.next("SIP/2.0 200 ").await;
    assert!(
        body(&answer).contains("a=sendonly\r\nm=video 0 RTP/AVP 96\r\n"),
        "{answer}"
    );
    assert_eq!(header(&answer, "Content-Type"), Some("application/sdp"));
    wire.send(&wire.follows(&invite, &answer, ("ACK", 1), ""), hub).await;
    assert!(audio.hears(SOON).await, "they listen");
    wire.send(&wire.follows(&invite, &answer, ("BYE", 2), ""), hub).await;
    assert!(was_taken(&host.finished_once().await));
    voice.shutdown().await;
}
