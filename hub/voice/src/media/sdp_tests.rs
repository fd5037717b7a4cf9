use super::*;
use proptest::prelude::*;

const LOCAL: &str = "192.0.2.7:4000";

fn local() -> SocketAddr {
    LOCAL.parse().unwrap()
}

/// A description of the far side at 192.0.2.9 with these media lines and what belongs to them.
fn theirs(lines: &str) -> Vec<u8> {
    format!("v=0\r\no=x 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{lines}").into_bytes()
}

/// The media lines of a description, and the lines that say which ways audio goes.
fn media(description: &[u8]) -> Vec<String> {
    let text = String::from_utf8(description.to_vec()).unwrap();
    let counts = |line: &&str| {
        let name = line.strip_prefix("a=");
        line.starts_with("m=") || name.is_some_and(|name| Direction::named(name).is_some())
    };
    text.lines().filter(counts).map(str::to_owned).collect()
}

fn origin(description: &[u8]) -> String {
    let text = String::from_utf8(description.to_vec()).unwrap();
    text.lines().nth(1).unwrap().to_owned()
}

#[test]
fn our_offer_is_understood_by_ourselves() {
    let got = understand(&offer(local(), 7)).unwrap();
    assert_eq!(
        got,
        Negotiated {
            remote: local(),
            codec: Codec::Pcma,
            event_type: Some(101),
            hold: false,
            mute: false,
        }
    );
}

#[test]
fn we_say_how_long_our_packets_are_whatever_the_far_side_prefers() {
    for wish in ["", "a=ptime:30\r\n", "a=ptime:20\r\na=maxptime:40\r\n", "a=ptime:x\r\n"] {
        let offer = theirs(&format!("m=audio 5000 RTP/AVP 8\r\n{wish}"));
        let answer = String::from_utf8(answer(local(), 1, &offer).unwrap()).unwrap();
        assert_eq!(answer.matches("a=ptime:20\r\n").count(), 1, "{wish:?}: {answer}");
        assert!(!answer.contains("maxptime"), "{wish:?}: {answer}");
    }
}

#[test]
fn an_answer_names_one_codec() {
    let local: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
    let answer = answer(local, 1, &theirs("m=audio 5000 RTP/AVP 0 8\r\n")).unwrap();
    assert_eq!(
        understand(&answer),
        Ok(Negotiated {
            remote: local,
            codec: Codec::Pcmu,
            event_type: None,
            hold: false,
            mute: false,
        })
    );
    assert_eq!(media(&answer), ["m=audio 4000 RTP/AVP 0", "a=sendrecv"]);
}

#[test]
fn an_answer_has_a_line_for_each_line_of_its_offer() {
    let keys = "a=rtpmap:96 telephone-event/8000\r\n";
    let audio = "m=audio 4000 RTP/AVP 8";
    let table: [(&str, String, Vec<&str>); 10] = [
        (
            "video after audio",
            "m=audio 5000 RTP/AVP 8\r\nm=video 5002 RTP/AVP 96 97\r\n".into(),
            vec![audio, "a=sendrecv", "m=video 0 RTP/AVP 96 97"],
        ),
        (
            "video before audio",
            "m=video 5002 RTP/AVP 96\r\na=sendonly\r\nm=audio 5000 RTP/AVP 8\r\n".into(),
            vec!["m=video 0 RTP/AVP 96", audio, "a=sendrecv"],
        ),
        (
            "two audio lines, the first is taken",
            "m=audio 5000 RTP/AVP 8\r\nm=audio 5002 RTP/AVP 8\r\n".into(),
            vec![audio, "a=sendrecv", "m=audio 0 RTP/AVP 8"],
        ),
        (
            "two audio lines, the second has our codec",
            format!("m=audio 5000 RTP/AVP 18\r\nm=audio 5002 RTP/AVP 8 96\r\n{keys}"),
            vec!["m=audio 0 RTP/AVP 18", "m=audio 4000 RTP/AVP 8 96", "a=sendrecv"],
        ),
        (
            "encrypted first, plain second",
            "m=audio 5000 RTP/SAVP 8\r\na=crypto:1 x\r\nm=audio 5002 RTP/AVP 8\r\n".into(),
            vec!["m=audio 0 RTP/SAVP 8", audio, "a=sendrecv"],
        ),
        (
            "a fax beside audio",
            "m=audio 5000 RTP/AVP 8\r\nm=image 5004 udptl t38\r\n".into(),
            vec![audio, "a=sendrecv", "m=image 0 udptl t38"],
        ),
        (
            "a line that is refused already",
            "m=audio 0 RTP/AVP 8\r\nm=audio 5002 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n".into(),
            vec!["m=audio 0 RTP/AVP 8", audio, "a=sendrecv", "m=video 0 RTP/AVP 31"],
        ),
        (
            "a number of ports, tabs",
            "m=audio 5000/1 RTP/AVP 8\r\nm=application\t9\tTCP/BFCP\t*\r\n".into(),
            vec![audio, "a=sendrecv", "m=application 0 TCP/BFCP *"],
        ),
        (
            "a line cut short",
            "m=audio 5000 RTP/AVP 8\r\nm=video\r\nm=\r\n".into(),
            vec![audio, "a=sendrecv", "m=video 0 RTP/AVP 0", "m=audio 0 RTP/AVP 0"],
        ),
        (
            "a control character",
            "m=audio 5000 RTP/AVP 8\r\nm=vid\u{0}eo 9 RTP/AVP 9\u{7}6\r\n".into(),
            vec![audio, "a=sendrecv", "m=video 0 RTP/AVP 96"],
        ),
    ];
    for (case, lines, expected) in table {
        let offer = theirs(&lines);
        let first = answer(local(), 1, &offer).unwrap();
        assert_eq!(media(&first), expected, "{case}");
        assert_eq!(understand(&first).unwrap().remote, local(), "{case}");
        // The same in a session that goes on, also after a shorter description.
        let before = super::offer(local(), 1);
        assert_eq!(media(&answer_again(&before, &offer).unwrap()), expected, "{case}");
        assert_eq!(answer_again(&first, &offer).unwrap(), first, "{case}: only refreshed");
    }
}

#[test]
fn directions_are_mirrored() {
    let with = |address: &str, of_session: &str, of_stream: &str| {
        let text = format!("v=0\r\nc=IN IP4 {address}\r\n{of_session}m=audio 5000 RTP/AVP 8\r\n{of_stream}");
        text.into_bytes()
    };
    let there = "192.0.2.9";
    for (address, of_session, of_stream, expected, hold, mute) in [
        (there, "", "", "a=sendrecv", false, false),
        (there, "", "a=sendrecv\r\n", "a=sendrecv", false, false),
        (there, "", "a=sendonly\r\n", "a=recvonly", true, false),
        (there, "", "a=recvonly\r\n", "a=sendonly", false, true),
        (there, "", "a=inactive\r\n", "a=inactive", true, true),
        // Above the media lines it holds for all of them that say nothing.
        (there, "a=sendonly\r\n", "", "a=recvonly", true, false),
        (there, "a=inactive\r\n", "a=sendrecv\r\n", "a=sendrecv", false, false),
        (there, "a=sendrecv\r\n", "a=recvonly\r\n", "a=sendonly", false, true),
        // The hold of older phones (RFC 3264 §8.4).
        ("0.0.0.0", "", "", "a=recvonly", true, false),
        ("0.0.0.0", "", "a=sendonly\r\n", "a=recvonly", true, false),
        ("0.0.0.0", "", "a=inactive\r\n", "a=inactive", true, true),
        ("0.0.0.0", "", "a=recvonly\r\n", "a=inactive", true, true),
    ] {
        let offer = with(address, of_session, of_stream);
        let case = String::from_utf8(offer.clone()).unwrap();
        let understood = understand(&offer).unwrap();
        assert_eq!((understood.hold, understood.mute), (hold, mute), "{case}");
        let answer = answer(local(), 1, &offer).unwrap();
        assert_eq!(media(&answer), ["m=audio 4000 RTP/AVP 8", expected], "{case}");
    }
}

#[test]
fn who_sends_and_who_hears_is_said_for_all_streams_or_for_one() {
    let of = |head: &str, other: &str, own: &str| {
        let text =
            format!("c=IN IP4 10.0.0.1\r\n{head}m=video 9 RTP/AVP 96\r\n{other}m=audio 40000 RTP/AVP 8\r\n{own}");
        let got = understand(text.as_bytes()).unwrap();
        (got.hold, got.mute)
    };
    let table = [
        ("", (false, false)),
        ("a=sendrecv\r\n", (false, false)),
        ("a=sendonly\r\n", (true, false)),
        ("a=recvonly\r\n", (false, true)),
        ("a=inactive\r\n", (true, true)),
    ];
    for (line, expected) in table {
        assert_eq!(of("", "", line), expected, "{line}");
        assert_eq!(of(line, "", ""), expected, "for all: {line}");
        assert_eq!(of("", line, ""), (false, false), "of another stream: {line}");
        assert_eq!(of(line, "", "a=sendrecv\r\n"), (false, false), "its own counts: {line}");
    }
}

#[test]
fn what_belongs_to_another_stream_does_not_count() {
    let lines = "m=video 5002 RTP/AVP 96\r\nc=IN IP4 10.0.0.3\r\na=inactive\r\na=rtpmap:96 telephone-event/8000\r\n\
        m=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\nm=audio 5004 RTP/AVP 0\r\nc=IN IP4 10.0.0.4\r\n\
        a=sendonly\r\n";
    assert_eq!(
        understand(&theirs(lines)),
        Ok(Negotiated {
            remote: "192.0.2.9:5000".parse().unwrap(),
            codec: Codec::Pcma,
            event_type: Some(101),
            hold: false,
            mute: false,
        })
    );
}

#[test]
fn a_later_answer_keeps_the_session_and_counts_its_changes() {
    let theirs = |codec| {
        let keys = "a=rtpmap:96 telephone-event/8000\r\n";
        theirs(&format!("m=audio 5000 RTP/AVP {codec} 96\r\n{keys}"))
    };
    let first = offer(local(), 4_711);
    assert_eq!(origin(&first), "o=- 4711 1 IN IP4 192.0.2.7");
    let second = answer_again(&first, &theirs(8)).unwrap();
    assert_eq!(origin(&second), "o=- 4711 2 IN IP4 192.0.2.7");
    assert_eq!(understand(&second).unwrap().remote, local());
    let refreshed = answer_again(&second, &theirs(8)).unwrap();
    assert_eq!(refreshed, second, "only refreshed");
    let third = answer_again(&refreshed, &theirs(0)).unwrap();
    assert_eq!(origin(&third), "o=- 4711 3 IN IP4 192.0.2.7");
    let foreign = "c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8\r\n";
    assert_eq!(answer_again(foreign.as_bytes(), &theirs(0)), Err(SdpError::NoOrigin));
    assert_eq!(
        answer_again(&third, b"m=image 5000 udptl t38\r\n"),
        Err(SdpError::NoAudio)
    );
}

#[test]
fn where_the_far_side_asks_for_an_offer_it_gets_all_that_we_can_in_the_lines_there_are() {
    let first = offer(local(), 9);
    assert_eq!(offer_again(&first).unwrap(), first, "nothing has changed");
    let held = "m=video 5002 RTP/AVP 96\r\nm=audio 5000 RTP/AVP 0\r\na=sendonly\r\n";
    let second = answer_again(&first, &theirs(held)).unwrap();
    assert_eq!(
        media(&second),
        ["m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVP 0", "a=recvonly"]
    );
    let third = offer_again(&second).unwrap();
    assert_eq!(origin(&third), "o=- 9 3 IN IP4 192.0.2.7");
    assert_eq!(
        media(&third),
        ["m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVP 8 0 101", "a=sendrecv"]
    );
    assert_eq!(understand(&third).unwrap().remote, local());
    assert_eq!(offer_again(b"v=0\r\n"), Err(SdpError::NoAudio));
}

#[test]
fn a_real_world_offer_with_two_streams_and_other_codecs() {
    let text = "v=0\r\no=x 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=video 9 RTP/AVP 96\r\n\
        m=audio 40000 RTP/AVP 18 0 8 96\r\nc=IN IP4 10.0.0.2\r\na=rtpmap:96 telephone-event/8000\r\na=sendonly\r\n\
        m=audio 40002 RTP/AVP 8\r\na=sendrecv\r\n";
    let got = understand(text.as_bytes()).unwrap();
    let remote = "10.0.0.2:40000".parse().unwrap();
    assert_eq!(
        got,
        Negotiated {
            remote,
            codec: Codec::Pcmu,
            event_type: Some(96),
            hold: true,
            mute: false,
        }
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let of = |text: &str| {
        let error = understand(text.as_bytes()).unwrap_err();
        assert_eq!(answer(local(), 1, text.as_bytes()), Err(error));
        error
    };
    assert_eq!(of(""), SdpError::NoAudio);
    assert_eq!(of("v=0\r\n"), SdpError::NoAudio);
    assert_eq!(of("c=IN IP4 1.2.3.4\r\nm=audio 0 RTP/AVP 0\r\n"), SdpError::NoAudio);
    assert_eq!(of("c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/SAVP 0\r\n"), SdpError::NoAudio);
    assert_eq!(of("c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVPF 0\r\n"), SdpError::NoAudio);
    assert_eq!(of("m=audio 4000 RTP/AVP 0\r\n"), SdpError::NoAddress);
    assert_eq!(of("c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 18\r\n"), SdpError::NoCodec);
    assert_eq!(understand(&vec![b'a'; SDP_MAX + 1]), Err(SdpError::NotText));
    assert_eq!(understand(&[0xff, 0xfe]), Err(SdpError::NotText));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "([a-z]=[ -~]{0,40}\r\n){0,8}") {
        let _ = understand(text.as_bytes());
    }

    #[test]
    fn an_answer_has_as_many_lines_as_its_offer_whatever_stands_there(
        before in "(m=[ -~]{0,40}\r\n){0,4}", after in "(m=[ -~]{0,40}\r\n){0,4}"
    ) {
        let offer = theirs(&format!("{before}m=audio 5000 RTP/AVP 8\r\n{after}"));
        let lines = |body: &[u8]| body.split(|b| *b == b'\n').filter(|line| line.starts_with(b"m=")).count();
        let answer = answer(local(), 1, &offer).unwrap();
        prop_assert_eq!(lines(&answer), lines(&offer));
        let taken = answer.split(|b| *b == b'\n').filter(|line| {
            line.starts_with(b"m=audio 4000 RTP/AVP ")
        });
        prop_assert_eq!(taken.count(), 1);
        prop_assert!(answer_again(&answer, &offer).unwrap() == answer);
    }
}
