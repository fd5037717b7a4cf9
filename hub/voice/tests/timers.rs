//! Session timers (RFC 4028) against a far side that plays each message by hand: what is agreed, who refreshes, and what happens
//! when nobody does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::was_taken;
use common::wire::{Wire, body, header, over, reply, rings, serves};
use hub_core::call_result::CallResult;
use std::time::{Duration, Instant};

const EXPIRED: &str = "nobody refreshed the session in time";
const ALLOW: &str = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_asks_for_is_answered() {
    let knows = "Supported: timer\r\n";
    for (lines, expires, require) in [
        (knows.to_owned(), None, None),
        (
            format!("{knows}Session-Expires: 1800\r\n"),
            Some("1800;refresher=uac"),
            Some("timer"),
        ),
        (
            format!("{knows}x: 1800;refresher=uas\r\n"),
            Some("1800;refresher=uas"),
            None,
        ),
        (
            "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n".to_owned(),
            Some("90;refresher=uac"),
            Some("timer"),
        ),
        // A proxy put it in, and the caller cannot refresh.
        ("Session-Expires: 1800\r\n".to_owned(), Some("1800;refresher=uas"), None),
    ] {
        let (wire, audio) = (Wire::open().await, Wire::open().await);
        let (voice, host) = serves(&wire).await;
        let invite = wire.invite(voice.local(), (&lines, &audio.described()));
        wire.send(&invite, voice.local()).await;
        let (answer, hub) = wire.next("SIP/2.0 200 ").await;
        assert_eq!(
            (header(&answer, "Session-Expires"), header(&answer, "Require")),
            (expires, require),
            "{lines}{answer}"
        );
        wire.send(&wire.follows(&invite, &answer, ("ACK", 1), ""), hub).await;
        assert!(audio.hears(Duration::from_secs(5)).await);
        wire.send(&wire.follows(&invite, &answer, ("BYE", 2), ""), hub).await;
        assert!(was_taken(&host.finished_once().await));
        voice.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_small_an_interval_is_refused_with_the_least() {
    let wire = Wire::open().await;
    let (voice, host) = serves(&wire).await;
    let lines = "Supported: timer\r\nSession-Expires: 60\r\n";
    let invite = wire.invite(voice.local(), (lines, &wire.described()));
    wire.send(&invite, voice.local()).await;
    let (answer, _) = wire.next("SIP/2.0 4").await;
    assert!(answer.starts_with("SIP/2.0 422 "), "{answer}");
    assert_eq!(header(&answer, "Min-SE"), Some("90"), "{answer}");
    assert!(host.callers().is_empty(), "nobody was asked about this call");
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_far_side_refreshes_goes_on_and_another_one_ends() {
    let timer = "Require: timer\r\nSession-Expires: 6;refresher=uas\r\n";
    for refreshes in [true, false] {
        let (wire, audio) = (Wire::open().await, Wire::open().await);
        let (voice, call, invite) = rings(&wire).await;
        wire.answer(&invite, timer, &audio.described()).await;
        let answered = Instant::now();
        if refreshes {
            let short = ("Supported: timer\r\nSession-Expires: 60;refresher=uac\r\n", "");
            let refused = wire.asks(&invite, ("UPDATE", 1), short).await;
            assert!(refused.starts_with("SIP/2.0 422 "), "{refused}");
            assert_eq!(header(&refused, "Min-SE"), Some("90"), "{refused}");
            let longer = ("Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n", "");
            let kept = wire.asks(&invite, ("UPDATE", 2), longer).await;
            assert!(kept.starts_with("SIP/2.0 200 "), "{kept}");
            assert_eq!(
                (header(&kept, "Session-Expires"), header(&kept, "Require")),
                (Some("90;refresher=uac"), Some("timer")),
                "{kept}"
            );
            assert!(
                !wire.hears(Duration::from_secs(5)).await,
                "the first interval counts no more"
            );
            wire.asks(&invite, ("BYE", 3), ("", "")).await;
        } else {
            let (bye, hub) = wire.next("BYE ").await;
            let waited = answered.elapsed();
            assert!(
                waited >= Duration::from_millis(3_900),
                "not before it is due: {waited:?}"
            );
            wire.send(&reply(&bye, "200 OK", "", ""), hub).await;
        }
        let detail = over(call).await;
        assert!(was_taken(&detail), "{detail:?}");
        let expected = if refreshes { "the owner hung up" } else { EXPIRED };
        assert_eq!(detail.reason, expected);
        voice.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_refreshes_where_that_is_its_part_until_the_far_side_knows_nothing_of_the_call() {
    let (wire, audio) = (Wire::open().await, Wire::open().await);
    let (voice, call, invite) = rings(&wire).await;
    let timer = "Session-Expires: 4;refresher=uac\r\n";
    wire.answer(&invite, &format!("{ALLOW}{timer}"), &audio.described())
        .await;
    let (first, hub) = wire.next("UPDATE ").await;
    assert_eq!(header(&first, "Session-Expires"), Some("4;refresher=uac"), "{first}");
    assert!(body(&first).is_empty(), "audio stays as it is: {first}");
    wire.send(
        &reply(&first, "422 Session Interval Too Small", "Min-SE: 6\r\n", ""),
        hub,
    )
    .await;
    let (second, hub) = wire.next("UPDATE ").await;
    assert_eq!(header(&second, "Session-Expires"), Some("6;refresher=uac"), "{second}");
    wire.send(
        &reply(&second, "200 OK", "Session-Expires: 6;refresher=uac\r\n", ""),
        hub,
    )
    .await;
    let (third, hub) = wire.next("UPDATE ").await;
    assert_ne!(header(&third, "CSeq"), header(&second, "CSeq"), "a new one");
    wire.send(&reply(&third, "481 Call/Transaction Does Not Exist", "", ""), hub)
        .await;
    let (bye, hub) = wire.next("BYE ").await;
    wire.send(&reply(&bye, "200 OK", "", ""), hub).await;
    let detail = over(call).await;
    assert_eq!(
        (detail.result, detail.reason.as_str()),
        (CallResult::Answered, EXPIRED),
        "{detail:?}"
    );
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_side_without_update_is_refreshed_by_a_reinvite_whose_answer_counts() {
    let (wire, first, second) = (Wire::open().await, Wire::open().await, Wire::open().await);
    let (voice, call, invite) = rings(&wire).await;
    let timer = "Session-Expires: 4;refresher=uac\r\n";
    wire.answer(&invite, timer, &first.described()).await;
    let (again, hub) = wire.next("INVITE ").await;
    assert_eq!(body(&again), body(&invite.0), "what was offered, unchanged");
    let contact = format!("Contact: <sip:far@{}>\r\n", wire.address);
    wire.send(&reply(&again, "200 OK", &contact, &second.described()), hub)
        .await;
    wire.next("ACK ").await;
    assert!(
        second.hears(Duration::from_secs(5)).await,
        "our audio goes where the answer says"
    );
    // Without a word of the timer in that answer there is none any more.
    assert!(!wire.hears(Duration::from_secs(5)).await);
    wire.asks(&invite, ("BYE", 1), ("", "")).await;
    let detail = over(call).await;
    assert_eq!(detail.reason, "the owner hung up", "{detail:?}");
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_crosses_a_request_of_the_far_side_comes_again_in_time() {
    // Due after 15 s; without one the end is after 20 s.
    let timer = "Session-Expires: 30;refresher=uac\r\n";
    let ways = [("UPDATE ", format!("{ALLOW}{timer}")), ("INVITE ", timer.to_owned())];
    let calls = ways.map(|(start, lines)| async move {
        let (wire, audio) = (Wire::open().await, Wire::open().await);
        let (voice, call, invite) = rings(&wire).await;
        // It says that it sends nothing, so that nothing need come.
        let described = audio.described().replace("a=sendrecv", "a=recvonly");
        wire.answer(&invite, &lines, &described).await;
        let (first, hub) = wire.next(start).await;
        wire.send(&reply(&first, "491 Request Pending", "", ""), hub).await;
        let refused = Instant::now();
        // The first one may have been sent twice before our answer came.
        let (second, hub) = loop {
            let (next, hub) = wire.next(start).await;
            if header(&next, "CSeq") != header(&first, "CSeq") {
                break (next, hub);
            }
        };
        let waited = refused.elapsed();
        // The Call-ID is the hub's (RFC 3261 §14.1).
        assert!(waited >= Duration::from_millis(2_050), "{start}: {waited:?}");
        let (more, described) = if start == "INVITE " {
            (
                format!("Contact: <sip:far@{}>\r\n{timer}", wire.address),
                described.as_str(),
            )
        } else {
            (timer.to_owned(), "")
        };
        wire.send(&reply(&second, "200 OK", &more, described), hub).await;
        // Beyond the time of a session that was not refreshed.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let bye = wire.asks(&invite, ("BYE", 1), ("", "")).await;
        assert!(bye.starts_with("SIP/2.0 200 "), "{start}: {bye}");
        let detail = over(call).await;
        assert_eq!(detail.reason, "the owner hung up", "{start}: {detail:?}");
        voice.shutdown().await;
    });
    futures::future::join_all(calls).await;
}
