//! A call that a carrier forks and that two phones answer (RFC 3261 §13.2.2.4): one is talked with, the other is told at once that
//! its call is over. The far side plays each message by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::was_taken;
use common::wire::{Wire, header, over, reply, rings};
use std::time::Duration;

/// Long enough for the first packet on a busy machine.
const SOON: Duration = Duration::from_secs(5);
/// What is not sent within this is not sent.
const QUIET: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_second_phone_that_answers_is_acknowledged_and_told_that_its_call_is_over() {
    let (wire, other, audio) = (Wire::open().await, Wire::open().await, Wire::open().await);
    let (voice, call, invite) = rings(&wire).await;
    wire.answer(&invite, "", &audio.described()).await;
    let contact = format!("Contact: <sip:fork@{}>\r\n", other.address);
    let second = reply(&invite.0, "200 OK", &contact, &other.described()).replace(";tag=far", ";tag=fork");
    wire.send(&second, invite.1).await;
    let (ack, _) = other.next("ACK ").await;
    assert!(header(&ack, "To").unwrap().ends_with(";tag=fork"), "{ack}");
    let (bye, hub) = other.next("BYE ").await;
    assert!(header(&bye, "To").unwrap().ends_with(";tag=fork"), "{bye}");
    assert_eq!(header(&bye, "Call-ID"), header(&invite.0, "Call-ID"));
    other.send(&reply(&bye, "200 OK", "", ""), hub).await;
    // Its answer once more, since the ACK was lost.
    wire.send(&second, invite.1).await;
    other.next("ACK ").await;
    assert!(!other.hears(QUIET).await, "one BYE, and none of the audio");
    // The first phone's call goes on.
    assert!(audio.hears(SOON).await);
    let bye = wire.asks(&invite, ("BYE", 1), ("", "")).await;
    assert!(bye.starts_with("SIP/2.0 200 "), "{bye}");
    let detail = over(call).await;
    assert_eq!(
        (was_taken(&detail), detail.reason.as_str()),
        (true, "the owner hung up"),
        "{detail:?}"
    );
    voice.shutdown().await;
}
