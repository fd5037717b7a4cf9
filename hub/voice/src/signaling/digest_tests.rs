use super::*;
use crate::signaling::fuzzing::fuzz;
use proptest::prelude::*;

const NAME: Name<'static> = Name {
    user: "hub",
    password: "secret",
};

fn uri() -> Uri {
    Uri::try_from("sip:+8613800008412@trunk.test").unwrap()
}

fn answer_to(headers: &[&str], count: u32) -> Result<String, String> {
    let used = Use {
        method: Method::Invite,
        uri: &uri(),
        count,
        cnonce: "0a4f113b",
    };
    Challenge::strongest(headers).map(|challenge| challenge.answer(NAME, used))
}

/// The response of a `trunk.test` to whom these are given, by another program.
const MD5_PLAIN: &str = "5249efef2e7d2ace3f13a332945e12ff";
const MD5_1: &str = "1a69146a13af735742841af1c6c788db";
const MD5_10: &str = "9eb31d6f86e73453b72ac828f2e9f942";
const MD5_256: &str = "12d43c89c7c057c00a1e0b729e776aa7";
const SHA_PLAIN: &str = "ba04889517b4e54a3cca21e7bb030a038cecc5103dea96eec43e4dc4f25f991b";
const SHA_1: &str = "5163cda673110decb1e0c6aad9b09bbb5d5f44cef996ab3f3ac04036e80f7eba";
const SHA_256: &str = "ba47736f1abd7a29d159910d58222d7aa9f3bb0f72f3f9533ceb4d1bbd3c155f";

/// A challenge with these parameters beside realm and nonce.
fn of(params: &str) -> String {
    format!("Digest realm=\"trunk.test\", nonce=\"8f2c0c1d4b\"{params}")
}

#[test]
fn each_challenge_is_answered_as_its_carrier_asks() {
    let start = "Digest username=\"hub\", realm=\"trunk.test\", nonce=\"8f2c0c1d4b\", \
                 uri=\"sip:+8613800008412@trunk.test\", response=";
    let counted = |nc: &str| format!(", qop=auth, nc={nc}, cnonce=\"0a4f113b\"");
    let first = counted("00000001");
    for (params, count, response, end) in [
        ("", 1, MD5_PLAIN, String::new()),
        (", algorithm=MD5", 1, MD5_PLAIN, ", algorithm=MD5".to_owned()),
        (", algorithm=\"MD5\"", 1, MD5_PLAIN, ", algorithm=MD5".to_owned()),
        (", algorithm=md5, qop=\"\"", 1, MD5_PLAIN, ", algorithm=md5".to_owned()),
        (", qop=\"auth\"", 1, MD5_1, first.clone()),
        (", qop=auth", 1, MD5_1, first.clone()),
        (", qop=\"auth,auth-int\"", 1, MD5_1, first.clone()),
        (", qop=\"auth-int, auth\"", 1, MD5_1, first.clone()),
        (", qop=\"AUTH\"", 1, MD5_1, first.clone()),
        (", qop=\"auth\"", 10, MD5_10, counted("0000000a")),
        (", qop=\"auth\"", 256, MD5_256, counted("00000100")),
        (", algorithm=SHA-256", 1, SHA_PLAIN, ", algorithm=SHA-256".to_owned()),
        (
            ", algorithm=SHA-256,qop=\"auth\"",
            1,
            SHA_1,
            format!(", algorithm=SHA-256{first}"),
        ),
        (
            ", algorithm=\"sha-256\", qop=auth",
            256,
            SHA_256,
            format!(", algorithm=sha-256{}", counted("00000100")),
        ),
        (
            ", algorithm=SHA256, qop=auth",
            1,
            SHA_1,
            format!(", algorithm=SHA256{first}"),
        ),
        (
            ", opaque=\"a\\\"b\", qop=\"auth\"",
            1,
            MD5_1,
            format!(", opaque=\"a\\\"b\"{first}"),
        ),
        (
            ", stale=FALSE, domain=\"sip:x, sip:y\", charset=UTF-8",
            1,
            MD5_PLAIN,
            String::new(),
        ),
    ] {
        let answer = answer_to(&[&of(params)], count).unwrap();
        assert_eq!(answer, format!("{start}\"{response}\"{end}"), "{params}");
    }
}

/// RFC 7616 §3.9.1.
#[test]
fn the_challenge_of_the_standard_is_read() {
    let header = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, \
                  nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    let challenge = Challenge::strongest(&[header]).unwrap();
    assert_eq!(challenge.realm, "http-auth@example.org");
    assert_eq!(challenge.nonce(), "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v");
    assert_eq!(
        challenge.opaque.as_deref(),
        Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")
    );
    assert!(challenge.has_qop && challenge.hash == Hash::Md5 && !challenge.is_stale());
}

#[test]
fn of_several_challenges_the_strongest_is_answered() {
    let (md5, sha) = (
        of(", algorithm=MD5, qop=\"auth\""),
        of(", algorithm=SHA-256, qop=\"auth\""),
    );
    let (int, sess) = (
        of(", algorithm=SHA-256, qop=\"auth-int\""),
        of(", algorithm=SHA-256-sess, qop=auth"),
    );
    let unreadable = "Digest realm=\"open";
    let one_line = format!("{md5}, {sha}");
    for (headers, response) in [
        (vec![md5.as_str(), sha.as_str()], SHA_1),
        (vec![sha.as_str(), md5.as_str()], SHA_1),
        (vec![one_line.as_str()], SHA_1),
        (vec!["Basic realm=\"x\"", md5.as_str()], MD5_1),
        (vec![int.as_str(), md5.as_str()], MD5_1),
        (vec![sess.as_str(), md5.as_str(), int.as_str()], MD5_1),
        (vec![unreadable, md5.as_str()], MD5_1),
    ] {
        let answer = answer_to(&headers, 1).unwrap();
        assert!(answer.contains(response), "{headers:?}: {answer}");
    }
    // Of equals the first.
    let other = md5.replace("8f2c0c1d4b", "another");
    assert_eq!(Challenge::strongest(&[&md5, &other]).unwrap().nonce(), "8f2c0c1d4b");
    assert_eq!(Challenge::strongest(&[&other, &md5]).unwrap().nonce(), "another");
    // One word about the nonce is enough.
    let stale = md5.replace(", qop", ", stale=True, qop");
    assert!(Challenge::strongest(&[&stale, &sha]).unwrap().is_stale());
}

#[test]
fn what_cannot_be_answered_is_told_in_words() {
    let long = format!("algorithm {}", "A".repeat(WORD_MAX));
    for (headers, why) in [
        (vec![], "there is none"),
        (vec!["Basic realm=\"x\"".to_owned()], "scheme Basic"),
        (vec![of(", algorithm=SHA-512-256")], "algorithm SHA-512-256"),
        (vec![of(", algorithm=MD5-sess, qop=\"auth\"")], "algorithm MD5-sess"),
        (vec![of(", algorithm=AKAv1-MD5")], "algorithm AKAv1-MD5"),
        (vec![of(", qop=\"auth-int\"")], "qop auth-int"),
        (vec!["Digest realm=\"x\"".to_owned()], "no realm or no nonce"),
        (vec!["Digest nonce=\"x\"".to_owned()], "no realm or no nonce"),
        (vec!["realm=\"x\"".to_owned()], "a challenge is not readable"),
        (vec!["Digest realm=\"x".to_owned()], "a challenge is not readable"),
        (
            vec![of(", qop=\"auth-int\""), of(", algorithm=X\u{7}Y")],
            "qop auth-int; algorithm XY",
        ),
        (vec![of(", algorithm=\"a\\\"b\"")], "algorithm a\\\"b"),
        (
            vec!["Digest realm=x, nonce=a\"b".to_owned()],
            "a challenge is not readable",
        ),
        (
            vec!["Digest realm=x, nonce=a\\".to_owned()],
            "a challenge is not readable",
        ),
        (vec![of(&format!(", algorithm={}", "A".repeat(99)))], long.as_str()),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let told = answer_to(&headers, 1).unwrap_err();
        assert!(told.ends_with(why), "{headers:?}: {told}");
    }
    let many = vec!["Basic realm=\"x\""; 50];
    assert!(answer_to(&many, 1).unwrap_err().len() < 200);
}

#[test]
fn only_the_right_answer_meets_a_challenge() {
    let challenge = Challenge::strongest(&[&of(", algorithm=MD5, qop=\"auth\"")]).unwrap();
    let uri = uri();
    let used = |count| Use {
        method: Method::Invite,
        uri: &uri,
        count,
        cnonce: "0a4f113b",
    };
    let is_met = |answer: &str| {
        let read = read(answer).unwrap();
        read.iter()
            .any(|answer| challenge.is_met_by(answer, NAME, Method::Invite, &uri))
    };
    let right = challenge.answer(NAME, used(1));
    assert!(is_met(&right));
    for count in [10, 256, u32::MAX] {
        assert!(is_met(&challenge.answer(NAME, used(count))), "{count}");
    }
    let with = |user, password| challenge.answer(Name { user, password }, used(1));
    for wrong in [
        with("hub", "guess"),
        with("somebody", "secret"),
        right.replace("8f2c0c1d4b", "another"),
        right.replace("nc=00000001", "nc=00000002"),
        right.replace("nc=00000001", "nc=1"),
        right.replace("qop=auth, ", ""),
        right.replace("realm=\"trunk.test\"", "realm=\"x\""),
        right.replace("sip:+8613800008412@trunk.test", "sip:+8613900001234@trunk.test"),
        right.replace("algorithm=MD5", "algorithm=SHA-256"),
        right.replace("Digest", "Basic"),
        challenge.answer(NAME, used(0)),
        String::new(),
    ] {
        assert!(!is_met(&wrong), "{wrong}");
    }
    let read = read(&right).unwrap();
    assert!(
        !challenge.is_met_by(&read[0], NAME, Method::Bye, &uri),
        "of another request"
    );
}

/// A name with a quote in it stays one parameter.
#[test]
fn a_user_name_is_quoted() {
    let name = Name {
        user: "a\"b\\c",
        ..NAME
    };
    let used = Use {
        method: Method::Bye,
        uri: &uri(),
        count: 1,
        cnonce: "1",
    };
    let answer = Challenge::strongest(&[&of("")]).unwrap().answer(name, used);
    assert_eq!(read(&answer).unwrap()[0].param("USERNAME"), Some("a\\\"b\\\\c"));
}

/// Any header is read or refused, and what is answered can be read again.
#[test]
fn fuzz_challenges() {
    let piece = prop_oneof![
        "[=\",\\\\ ]",
        "[a-z0-9-]{1,8}",
        Just("Digest ".to_owned()),
        Just("realm=\"trunk.test\"".to_owned()),
        Just(", nonce=\"8f2c\"".to_owned()),
        Just(", algorithm=SHA-256".to_owned()),
        Just(", qop=\"auth,auth-int\"".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    let header = prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat());
    fuzz(4_000, &prop::collection::vec(header, 0..4), |headers| {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        match Challenge::strongest(&headers) {
            Err(why) => prop_assert!(why.is_ascii() && why.len() < 400),
            Ok(challenge) => {
                let uri = uri();
                let used = Use {
                    method: Method::Invite,
                    uri: &uri,
                    count: 1,
                    cnonce: "1",
                };
                let answer = challenge.answer(NAME, used);
                let read = read(&answer).unwrap();
                prop_assert_eq!(read.len(), 1);
                prop_assert!(challenge.is_met_by(&read[0], NAME, Method::Invite, &uri), "{}", answer);
            }
        }
        Ok(())
    });
}
