//! Refusals with more to say than their status, against a far side that plays each message by hand: what counts is the status,
//! and a reason of the exchange is in the record.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::wire::{Wire, header, over, reply, rings};
use hub_core::call_result::CallResult;

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_what_its_status_says_whatever_else_it_holds() {
    for (status, line, result, code, said) in [
        // The exchange knows more: no such number. The trunk's status counts, as docs/known-gaps.md says.
        (
            "480 Temporarily Unavailable",
            "Reason: Q.850;cause=1;text=\"Unallocated number\"\r\n",
            CallResult::NoAnswer,
            480,
            "Q.850;cause=1;",
        ),
        (
            "408 Request Timeout",
            "Reason: Q.850;cause=16\r\n",
            CallResult::NoAnswer,
            408,
            "Q.850;cause=16",
        ),
        (
            "404 Not Found",
            "Reason: Q.850;cause=17\r\n",
            CallResult::InvalidNumber,
            404,
            "Q.850;cause=17",
        ),
        // Some telephones decline with this one.
        ("486 Busy Here", "", CallResult::Busy, 486, "Busy"),
        ("603 Decline", "", CallResult::Declined, 603, "Decline"),
        (
            "503 Service Unavailable",
            "Retry-After: 120\r\n",
            CallResult::NetworkFailure,
            503,
            "Unavailable",
        ),
    ] {
        let wire = Wire::open().await;
        let (voice, call, invite) = rings(&wire).await;
        wire.send(&reply(&invite.0, "180 Ringing", "", ""), invite.1).await;
        wire.send(&reply(&invite.0, status, line, ""), invite.1).await;
        let (ack, _) = wire.next("ACK ").await;
        assert_eq!(header(&ack, "Call-ID"), header(&invite.0, "Call-ID"));
        let detail = over(call).await;
        assert_eq!(
            (detail.result, detail.sip_status, detail.disposition),
            (result, Some(code), None),
            "{status}: {detail:?}"
        );
        assert!(detail.reason.contains(said), "{status}: {}", detail.reason);
        let asked = line
            .strip_prefix("Retry-After: ")
            .map(|seconds| seconds.trim().parse().unwrap());
        assert_eq!(detail.retry_after_s, asked, "{status}");
        voice.shutdown().await;
    }
}
