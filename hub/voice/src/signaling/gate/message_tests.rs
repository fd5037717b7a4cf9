//! Cases of messages: which kind they are, and what their refusal says.

use super::*;
use proptest::prelude::*;
use rsipstack::sip::{HeadersExt, SipMessage};

/// A request with this start, `To` and `CSeq`.
fn text(start: &str, to: &str, cseq: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\nFrom: <sip:a@t>;tag=1\r\nTo: {to}\r\nCall-ID: c1\r\n\
         CSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn each_message_is_of_one_kind() {
    let (new, known) = ("<sip:hub@h>", "<sip:hub@h>;tag=2");
    for (start, to, cseq, what) in [
        ("INVITE sip:h SIP/2.0", new, "1 INVITE", What::Request(Kind::Invite)),
        ("INVITE sip:h SIP/2.0", known, "2 INVITE", What::Request(Kind::Inside)),
        // A tag within a display name or an address is none.
        (
            "INVITE sip:h SIP/2.0",
            "\"x;tag=9\" <sip:hub@h;tag=8>",
            "1 INVITE",
            What::Request(Kind::Invite),
        ),
        ("BYE sip:h SIP/2.0", known, "2 BYE", What::Request(Kind::Inside)),
        ("BYE sip:h SIP/2.0", new, "2 BYE", What::Request(Kind::Other)),
        ("OPTIONS sip:h SIP/2.0", new, "1 OPTIONS", What::Request(Kind::Options)),
        ("OPTIONS sip:h SIP/2.0", known, "3 OPTIONS", What::Request(Kind::Inside)),
        ("CANCEL sip:h SIP/2.0", new, "1 CANCEL", What::Request(Kind::Cancel)),
        ("REGISTER sip:h SIP/2.0", new, "1 REGISTER", What::Request(Kind::Other)),
        ("ACK sip:h SIP/2.0", known, "1 ACK", What::Ack),
        ("SIP/2.0 180 Ringing", known, "1 INVITE", What::Response(180)),
        ("SIP/2.0 200", new, "1 BYE", What::Response(200)),
    ] {
        let text = text(start, to, cseq);
        let message = Message::read(text.as_bytes()).unwrap();
        assert_eq!((message.what, message.cseq.as_str()), (what, cseq), "{start} {to}");
        assert_eq!(message.call_id, "c1");
    }
}

#[test]
fn what_decides_nothing_is_not_read() {
    let whole = text("INVITE sip:h SIP/2.0", "<sip:hub@h>", "1 INVITE");
    for (from, to) in [
        ("CSeq: 1 INVITE", "CSeq: 1 BYE"),
        ("CSeq: 1 INVITE", "CSeq: -1 INVITE"),
        ("CSeq: 1 INVITE", "CSeq: 1"),
        ("CSeq: 1 INVITE\r\n", ""),
        ("Call-ID: c1\r\n", ""),
        ("Call-ID: c1", "Call-ID: "),
        ("To: <sip:hub@h>", "To: <sip:hub@h"),
        ("From: <sip:a@t>", "From: \"open <sip:a@t>"),
        ("Via: ", "Way: "),
        ("\r\n\r\n", "\r\n"),
        ("INVITE sip:h SIP/2.0", ""),
    ] {
        let broken = whole.replacen(from, to, 1);
        assert!(
            broken != whole && Message::read(broken.as_bytes()).is_none(),
            "{from:?} → {to:?}"
        );
    }
    assert!(Message::read(b"").is_none());
}

#[test]
fn short_names_and_folded_lines_are_read() {
    let text = "INVITE sip:h SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.2\r\nf: <sip:a@t>;tag=1\r\nt: \"A\"\r\n <sip:hub@h>\r\n\
                \t;tag=2\r\ni : c1\r\nCSEQ:  7   INVITE\r\n\r\n";
    let message = Message::read(text.as_bytes()).unwrap();
    assert_eq!(message.what, What::Request(Kind::Inside));
    assert_eq!((message.call_id.as_str(), message.cseq.as_str()), ("c1", "7 INVITE"));
}

#[test]
fn a_refusal_is_made_of_its_request() {
    let text = text("INVITE sip:h SIP/2.0", "<sip:hub@h>", "1 INVITE");
    let text = text.replacen("From:", "Via: SIP/2.0/UDP 10.0.0.9\r\nFrom:", 1);
    let message = Message::read(text.as_bytes()).unwrap();
    let busy = message.refused(Refusal::Busy).unwrap();
    assert_eq!(
        busy,
        message.refused(Refusal::Busy).unwrap(),
        "the same for the same request"
    );
    let Ok(SipMessage::Response(read)) = SipMessage::try_from(busy.as_str()) else {
        panic!("{busy}");
    };
    assert_eq!(read.status_code.code(), 503);
    assert!(busy.contains("\r\nRetry-After: 5\r\n"), "{busy}");
    assert!(read.to_header().unwrap().tag().unwrap().is_some(), "{busy}");
    let via = busy.find("Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n").unwrap();
    assert!(
        via < busy.find("Via: SIP/2.0/UDP 10.0.0.9\r\n").unwrap(),
        "in their order: {busy}"
    );
    for line in ["From: <sip:a@t>;tag=1\r\n", "Call-ID: c1\r\n", "CSeq: 1 INVITE\r\n"] {
        assert!(busy.contains(line), "{line}: {busy}");
    }
    let forbidden = message.refused(Refusal::Forbidden).unwrap();
    assert!(
        forbidden.starts_with("SIP/2.0 403 ") && !forbidden.contains("Retry-After"),
        "{forbidden}"
    );
}

#[test]
fn an_ack_and_an_answer_are_never_answered() {
    for (start, cseq) in [("ACK sip:h SIP/2.0", "1 ACK"), ("SIP/2.0 200 OK", "1 INVITE")] {
        let text = text(start, "<sip:hub@h>;tag=2", cseq);
        let message = Message::read(text.as_bytes()).unwrap();
        assert!(message.refused(Refusal::NoCall).is_none(), "{start}");
    }
    let text = text("BYE sip:h SIP/2.0", "<sip:hub@h>;tag=2", "2 BYE");
    let refused = Message::read(text.as_bytes())
        .unwrap()
        .refused(Refusal::NoCall)
        .unwrap();
    assert!(
        refused.contains("To: <sip:hub@h>;tag=2\r\n"),
        "a tag that is there stays: {refused}"
    );
}

/// Pieces of messages, so that many of them are nearly whole.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "INVITE sip:h SIP/2.0",
        "SIP/2.0 200 OK",
        "Via: x",
        "v: y",
        "From: <sip:a@t>",
        "To: <sip:h>;tag=1",
        "t: <sip:h>",
        "Call-ID: c1",
        "i: c2",
        "Call-ID",
        " folded",
        "CSeq: 1 INVITE",
        "CSeq: 2 BYE",
        "X: \u{661f}",
        "\r\n",
        "\n",
        "\r",
        "",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| format!("{}\r\n\r\n", pieces.join("\r\n")))
}

proptest! {
    /// What the gate reads of a message is what the library reads of it: else a call could be shown to one and another to the
    /// other.
    #[test]
    fn the_library_reads_the_same(text in pieces()) {
        if let (Some(ours), Ok(theirs)) = (Message::read(text.as_bytes()), SipMessage::try_from(text.as_bytes())) {
            prop_assert_eq!(ours.call_id.as_str(), theirs.call_id_header().unwrap().value());
            let cseq = theirs.cseq_header().unwrap().value().to_owned();
            prop_assert_eq!(ours.cseq, cseq);
            prop_assert_eq!(matches!(ours.what, What::Response(_)), matches!(theirs, SipMessage::Response(_)));
        }
    }

    #[test]
    fn arbitrary_datagrams_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::read(&bytes);
    }
}
