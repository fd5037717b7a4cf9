use super::*;
use crate::config::Secret;

const CALL: &str = "call-1@10.0.0.1";

fn digest() -> Option<Digest> {
    Some(Digest {
        user: "hub".into(),
        password: Secret::new("secret"),
    })
}

/// A refusal of the request with this number and method, with these challenges.
fn refusal(status: &str, cseq: &str, challenges: &[&str]) -> SipMessage {
    let text = format!(
        "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:hub@t>;tag=1\r\nTo: <sip:a@t>;tag=2\r\n\
         Call-ID: {CALL}\r\nCSeq: {cseq}\r\n{}Content-Length: 0\r\n\r\n",
        challenges.iter().map(|line| format!("{line}\r\n")).collect::<String>()
    );
    SipMessage::Response(Response::try_from(text.as_str()).unwrap())
}

/// The challenges that a message has, a header each.
fn challenges_of(message: &SipMessage) -> Vec<String> {
    let lines = message.to_string();
    let lines = lines.lines().filter(|line| line.contains("-Authenticate: "));
    lines.map(str::to_owned).collect()
}

/// What the library sends in answer to a challenge that it was shown, as it comes out.
fn sent(inspector: &OurDigest, method: &str, header: &str, shown: &str) -> String {
    let nonce = shown.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let text = format!(
        "{method} sip:+8613800008412@trunk.test SIP/2.0\r\nCall-ID: {CALL}\r\nCSeq: 2 {method}\r\n\
         {header}: Digest username=\"hub\", realm=\"forecall\", nonce=\"{nonce}\", uri=\"sip:x\", response=\"0\"\r\n\r\n"
    );
    let request = SipMessage::Request(Request::try_from(text.as_str()).unwrap());
    let sent = inspector.before_send(request, None).to_string();
    let line = sent.lines().find(|line| line.contains("uthorization: ")).unwrap();
    line.to_owned()
}

const MD5: &str = "Digest realm=\"t\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";
const SHA: &str = "Digest realm=\"t\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth,auth-int\"";

#[test]
fn the_header_that_belongs_to_the_status_is_answered_in_its_own() {
    for (status, lines, shown, header, algorithm) in [
        (
            "407 Proxy Authentication Required",
            ["Proxy-Authenticate: ", "Proxy-Authenticate: "],
            "Proxy-Authenticate: ",
            "Proxy-Authorization",
            "SHA-256",
        ),
        (
            "401 Unauthorized",
            ["WWW-Authenticate: ", "WWW-Authenticate: "],
            "WWW-Authenticate: ",
            "Authorization",
            "SHA-256",
        ),
        // Both: the first is MD5.
        (
            "407 Proxy Authentication Required",
            ["Proxy-Authenticate: ", "WWW-Authenticate: "],
            "Proxy-Authenticate: ",
            "Proxy-Authorization",
            "MD5",
        ),
        (
            "401 Unauthorized",
            ["WWW-Authenticate: ", "Proxy-Authenticate: "],
            "WWW-Authenticate: ",
            "Authorization",
            "MD5",
        ),
        // The wrong one only.
        (
            "407 Proxy Authentication Required",
            ["WWW-Authenticate: ", "WWW-Authenticate: "],
            "WWW-Authenticate: ",
            "Authorization",
            "SHA-256",
        ),
    ] {
        let answers = Arc::new(Answers::default());
        let call = answers.of_call(CALL.into(), digest());
        let inspector = OurDigest(Arc::clone(&answers));
        let challenges = [format!("{}{MD5}", lines[0]), format!("{}{SHA}", lines[1])];
        let challenges = [challenges[0].as_str(), challenges[1].as_str()];
        let seen = inspector.after_received(refusal(status, "1 INVITE", &challenges), None);
        let seen = challenges_of(&seen);
        assert!(
            seen.len() == 1 && seen[0].starts_with(shown),
            "{status} {lines:?}: {seen:?}"
        );
        let answer = sent(&inspector, "INVITE", header, &seen[0]);
        assert!(
            answer.starts_with(&format!("{header}: Digest username=\"hub\", realm=\"t\", nonce=\"n1\"")),
            "{answer}"
        );
        assert!(
            answer.contains(&format!("algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"")),
            "{answer}"
        );
        assert_eq!(call.refused(), None);
        // What is sent again is the same, and so are the credentials of the ACK.
        assert_eq!(sent(&inspector, "INVITE", header, &seen[0]), answer);
        assert_eq!(sent(&inspector, "ACK", header, &seen[0]), answer);
    }
}

#[test]
fn a_stale_nonce_is_tried_again_once() {
    let answers = Arc::new(Answers::default());
    let call = answers.of_call(CALL.into(), digest());
    let inspector = OurDigest(Arc::clone(&answers));
    let challenge = |cseq: &str, nonce: &str, stale: &str| {
        let line = format!("Proxy-Authenticate: {}{stale}", MD5.replace("n1", nonce));
        let seen = inspector.after_received(refusal("407 Proxy Authentication Required", cseq, &[&line]), None);
        challenges_of(&seen)
    };
    let first = challenge("1 INVITE", "a", "");
    assert!(first[0].contains("stale=false"), "{first:?}");
    // Repeated, it is the same challenge.
    assert_eq!(challenge("1 INVITE", "a", ""), first);
    let second = challenge("2 INVITE", "b", ", stale=true");
    assert!(second[0].contains("stale=true") && second != first, "{second:?}");
    assert!(sent(&inspector, "INVITE", "Proxy-Authorization", &second[0]).contains("nonce=\"b\""));
    assert_eq!(challenge("3 INVITE", "c", ", stale=true"), Vec::<String>::new());
    let refused = call.refused().unwrap();
    assert_eq!(refused.status, 407);
    assert!(refused.reason.contains("stale"), "{}", refused.reason);
    // The BYE has rounds of its own, and says nothing about the INVITE.
    assert_eq!(challenge("4 BYE", "d", "").len(), 1);
    assert_eq!(challenge("5 BYE", "d", ", stale=true").len(), 0);
    assert_eq!(call.refused().unwrap(), refused);
}

#[test]
fn what_is_not_answered_is_kept_in_words() {
    let wrong = ["WWW-Authenticate: Digest realm=\"t\", nonce=\"n\", algorithm=SHA-512-256"];
    let right = format!("WWW-Authenticate: {MD5}");
    let right = [right.as_str()];
    for (digest, first, second, reason) in [
        (digest(), &wrong, None, "algorithm SHA-512-256"),
        (
            digest(),
            &right,
            Some(&right),
            "did not take our user name and password",
        ),
        (None, &right, None, "its settings have none"),
    ] {
        let answers = Arc::new(Answers::default());
        let call = answers.of_call(CALL.into(), digest);
        let inspector = OurDigest(Arc::clone(&answers));
        let mut seen = inspector.after_received(refusal("401 Unauthorized", "1 INVITE", first), None);
        if let Some(second) = second {
            assert_eq!((challenges_of(&seen).len(), call.refused()), (1, None), "{reason}");
            seen = inspector.after_received(refusal("401 Unauthorized", "2 INVITE", second), None);
        }
        assert_eq!(
            challenges_of(&seen),
            Vec::<String>::new(),
            "the library has nothing to answer"
        );
        let refused = call.refused().unwrap();
        assert_eq!(refused.status, 401);
        assert!(refused.reason.contains(reason), "{}", refused.reason);
    }
}

#[test]
fn uses_of_a_nonce_are_counted_over_all_calls() {
    let mut nonces = Nonces::default();
    let counts: Vec<u32> = ["a", "a", "b", "a"].map(|nonce| nonces.count(nonce)).into();
    assert_eq!(counts, [1, 2, 1, 3]);
    for other in 0..NONCES_MAX {
        nonces.count(&format!("other {other}"));
    }
    assert_eq!(
        (nonces.0.len(), nonces.count("a")),
        (NONCES_MAX, 1),
        "the oldest is forgotten"
    );
}

#[test]
fn of_a_call_that_is_over_and_of_other_messages_nothing_is_changed() {
    let answers = Arc::new(Answers::default());
    drop(answers.of_call(CALL.into(), digest()));
    assert!(answers.state().calls.is_empty());
    let inspector = OurDigest(Arc::clone(&answers));
    let line = format!("WWW-Authenticate: {MD5}");
    let message = refusal("401 Unauthorized", "1 INVITE", &[&line]);
    assert_eq!(
        inspector.after_received(message.clone(), None).to_string(),
        message.to_string()
    );
    let _call = answers.of_call(CALL.into(), digest());
    let busy = refusal("486 Busy Here", "1 INVITE", &[&line]);
    assert_eq!(
        inspector.after_received(busy.clone(), None).to_string(),
        busy.to_string()
    );
}
