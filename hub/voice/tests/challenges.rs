//! Digest against a trunk that challenges as carriers do: what is answered, with which header, and what the record says of what
//! cannot be. The trunk checks answers with the SIP library's own hash.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::*;
use hub_core::call_result::CallResult;
use hub_core::language::Language;
use hub_voice::media::sdp;
use hub_voice::{CallDetail, CallProgress, TrunkConfig, Voice};
use rsipstack::dialog::authenticate::compute_digest;
use rsipstack::sip::Method;
use rsipstack::sip::headers::auth::{Algorithm, AuthQop};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;

/// One challenge: status line and the lines of the header.
#[derive(Clone)]
struct Round {
    status: &'static str,
    challenges: Vec<&'static str>,
}

const PROXY: &str = "407 Proxy Authentication Required";
const SERVER: &str = "401 Unauthorized";

fn round(status: &'static str, challenges: &[&'static str]) -> Round {
    Round {
        status,
        challenges: challenges.to_vec(),
    }
}

/// A trunk that challenges each method in these rounds; then a call is busy, or answered, if the password was proved.
struct Trunk {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Trunk {
    async fn start(invites: Vec<Round>, byes: Vec<Round>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let all = Arc::clone(&seen);
        let answers = !byes.is_empty();
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                let method = text.split(' ').next().unwrap().to_owned();
                let rounds = match method.as_str() {
                    "INVITE" => &invites,
                    "BYE" => &byes,
                    _ => continue,
                };
                let at = note(&all, &method, &text);
                let answer = match rounds.get(at) {
                    Some(round) => refusal(&text, round),
                    None if !proves(&text, rounds) => reply(&text, "403 Forbidden", ""),
                    None if method == "BYE" => reply(&text, "200 OK", ""),
                    None if answers => answered(&text, address),
                    None => reply(&text, "486 Busy Here", ""),
                };
                socket.send_to(answer.as_bytes(), peer).await.unwrap();
            }
        });
        Self { address, seen }
    }

    /// Requests of a method, without what was sent again.
    fn seen(&self, method: &str) -> Vec<String> {
        let start = format!("{method} ");
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|text| text.starts_with(&start)).cloned().collect()
    }
}

/// Keeps a request unless it is known, and says which of its method it is, from 0.
fn note(seen: &Mutex<Vec<String>>, method: &str, text: &str) -> usize {
    let mut seen = seen.lock().unwrap();
    let cseq = header(text, "CSeq").unwrap();
    let of_method = |known: &&String| known.starts_with(method);
    let known = seen
        .iter()
        .filter(of_method)
        .position(|known| header(known, "CSeq") == Some(cseq));
    known.unwrap_or_else(|| {
        let count = seen.iter().filter(of_method).count();
        seen.push(text.to_owned());
        count
    })
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("{name}: ");
    text.lines().find_map(|line| line.strip_prefix(start.as_str()))
}

/// An answer with these further lines, each with its end.
fn reply(request: &str, status: &str, lines: &str) -> String {
    let of = |name| header(request, name).unwrap();
    let to = of("To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=trunk" };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{lines}Content-Length: 0\r\n\r\n",
        of("Via"),
        of("From"),
        of("Call-ID"),
        of("CSeq"),
    )
}

fn refusal(request: &str, round: &Round) -> String {
    let name = if round.status == PROXY {
        "Proxy-Authenticate"
    } else {
        "WWW-Authenticate"
    };
    let lines: String = round
        .challenges
        .iter()
        .map(|value| format!("{name}: {value}\r\n"))
        .collect();
    reply(request, round.status, &lines)
}

/// The call is taken; nobody listens to its audio.
fn answered(request: &str, address: SocketAddr) -> String {
    let description = String::from_utf8(sdp::offer(SocketAddr::from(([127, 0, 0, 1], 9)), 1)).unwrap();
    let lines = format!("Contact: <sip:trunk@{address}>\r\nContent-Type: application/sdp\r\n");
    let length = format!("Content-Length: {}\r\n\r\n{description}", description.len());
    reply(request, "200 OK", &lines).replace("Content-Length: 0\r\n\r\n", &length)
}

/// Whether a request proves the password for the last round's realm and nonce.
fn proves(request: &str, rounds: &[Round]) -> bool {
    let Some(last) = rounds.last() else { return true };
    let name = if last.status == PROXY {
        "Proxy-Authorization"
    } else {
        "Authorization"
    };
    let Some(value) = header(request, name) else {
        return false;
    };
    let param = |name: &str| {
        let start = format!("{name}=");
        let mut params = value.trim_start_matches("Digest ").split(", ");
        params.find_map(|param| param.strip_prefix(start.as_str()))
    };
    let text = |name: &str| param(name).map(|value| value.trim_matches('"').to_owned());
    let algorithm = match param("algorithm") {
        None => Algorithm::Md5,
        Some(name) if name.eq_ignore_ascii_case("MD5") => Algorithm::Md5,
        Some("SHA-256") => Algorithm::Sha256,
        Some(_) => return false,
    };
    let qop = param("qop").map(|qop| {
        // Bare, as RFC 7616 wants it, and the count in eight digits.
        let count = param("nc").unwrap();
        assert_eq!((qop, count.len()), ("auth", 8), "{value}");
        AuthQop::Auth {
            cnonce: text("cnonce").unwrap(),
            nc: u8::from_str_radix(count, 16).unwrap(),
        }
    });
    let (uri, nonce) = (text("uri").unwrap(), text("nonce").unwrap());
    let method = if request.starts_with("BYE ") {
        Method::Bye
    } else {
        Method::Invite
    };
    let expected = compute_digest(
        "hub",
        "secret",
        "trunk.test",
        &nonce,
        &method,
        &uri,
        algorithm,
        qop.as_ref(),
    );
    let is_of_last = last
        .challenges
        .iter()
        .any(|challenge| challenge.contains(&format!("nonce=\"{nonce}\"")));
    is_of_last
        && request.starts_with(&format!("{method} {uri} SIP/2.0\r\n"))
        && text("username").as_deref() == Some("hub")
        && text("realm").as_deref() == Some("trunk.test")
        && text("response") == Some(expected)
}

async fn ring(trunk: TrunkConfig) -> CallDetail {
    logs();
    let voice = Voice::start(config(trunk, limits())).await.unwrap();
    let ring = voice.ring(order(Language::En), Arc::new(TestHost::default()));
    let detail = tokio::time::timeout(Duration::from_secs(90), ring)
        .await
        .expect("a bounded call");
    voice.shutdown().await;
    detail
}

const MD5: &str = "Digest realm=\"trunk.test\", nonce=\"m1\", algorithm=MD5, qop=\"auth\"";
const SHA: &str = "Digest realm=\"trunk.test\", nonce=\"s1\", algorithm=SHA-256, qop=\"auth\"";

#[tokio::test(flavor = "multi_thread")]
async fn challenges_of_carriers_are_answered() {
    for (rounds, sent) in [
        (vec![round(PROXY, &[MD5])], "algorithm=MD5, qop=auth, nc=00000001"),
        (
            vec![round(SERVER, &["Digest realm=\"trunk.test\", nonce=\"m1\""])],
            "nonce=\"m1\"",
        ),
        (
            vec![round(
                PROXY,
                &["Digest realm=\"trunk.test\", nonce=\"m1\", qop=\"auth,auth-int\""],
            )],
            "qop=auth, nc=00000001",
        ),
        (
            vec![round(
                PROXY,
                &["Digest realm=\"trunk.test\",nonce=\"m1\",algorithm=md5,qop=auth"],
            )],
            "algorithm=md5, qop=auth, nc=00000001",
        ),
        (
            vec![round(
                SERVER,
                &["Digest qop=\"auth\", algorithm=\"SHA-256\", nonce=\"s1\", realm=\"trunk.test\", opaque=\"o\""],
            )],
            "algorithm=SHA-256, opaque=\"o\", qop=auth",
        ),
        (vec![round(PROXY, &[SHA, MD5])], "nonce=\"s1\""),
        (vec![round(SERVER, &[MD5, SHA])], "nonce=\"s1\""),
        (
            vec![round(
                PROXY,
                &["Digest realm=\"trunk.test\", nonce=\"x\", algorithm=SHA-512-256", MD5],
            )],
            "nonce=\"m1\"",
        ),
        // Only the nonce was too old: once more.
        (
            vec![
                round(PROXY, &[MD5]),
                round(
                    PROXY,
                    &["Digest realm=\"trunk.test\", nonce=\"m2\", stale=TRUE, algorithm=MD5, qop=\"auth\""],
                ),
            ],
            "nonce=\"m2\"",
        ),
    ] {
        let trunk = Trunk::start(rounds.clone(), vec![]).await;
        let detail = ring(with_password(trunk.address, "secret")).await;
        assert_eq!(
            (detail.result, detail.sip_status),
            (CallResult::Busy, Some(486)),
            "{sent}: {detail:?}"
        );
        let invites = trunk.seen("INVITE");
        assert_eq!(invites.len(), rounds.len() + 1, "{sent}");
        assert!(
            invites.last().unwrap().contains(sent),
            "{sent}\n{}",
            invites.last().unwrap()
        );
        // One call: the same but for its number, its branch and the answer.
        let same = |name| {
            invites
                .iter()
                .all(|invite| header(invite, name) == header(&invites[0], name))
        };
        assert!(same("Call-ID") && same("From") && same("To"), "{invites:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_a_refusal_of_the_trunk_with_its_reason() {
    let stale = "Digest realm=\"trunk.test\", nonce=\"m2\", stale=true, algorithm=MD5";
    let stale_again = "Digest realm=\"trunk.test\", nonce=\"m3\", stale=true, algorithm=MD5";
    for (password, rounds, invites, reason) in [
        (
            Some("secret"),
            vec![round(
                PROXY,
                &["Digest realm=\"t\", nonce=\"n\", algorithm=SHA-512-256"],
            )],
            1,
            "SHA-512-256",
        ),
        (
            Some("secret"),
            vec![round(SERVER, &["Digest realm=\"t\", nonce=\"n\", qop=\"auth-int\""])],
            1,
            "qop auth-int",
        ),
        (
            Some("secret"),
            vec![round(SERVER, &["Basic realm=\"t\""])],
            1,
            "scheme Basic",
        ),
        (
            Some("secret"),
            vec![round(PROXY, &["Digest realm=\"t"])],
            1,
            "not readable",
        ),
        (Some("secret"), vec![round(PROXY, &[])], 1, "there is none"),
        (
            Some("wrong"),
            vec![round(PROXY, &[MD5]), round(PROXY, &[MD5])],
            2,
            "did not take our user name and password",
        ),
        (
            Some("secret"),
            vec![
                round(PROXY, &[MD5]),
                round(PROXY, &[stale]),
                round(PROXY, &[stale_again]),
            ],
            3,
            "stale",
        ),
        (None, vec![round(PROXY, &[MD5])], 1, "its settings have none"),
    ] {
        let peer = Trunk::start(rounds.clone(), vec![]).await;
        let config = password.map_or_else(|| trunk(peer.address), |password| with_password(peer.address, password));
        let detail = ring(config).await;
        let status = if rounds[0].status == PROXY { 407 } else { 401 };
        assert_eq!(
            (detail.result, detail.sip_status),
            (CallResult::TrunkRefused, Some(status)),
            "{reason}: {detail:?}"
        );
        assert!(detail.reason.contains(reason), "{reason}: {}", detail.reason);
        assert_eq!(peer.seen("INVITE").len(), invites, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bye_that_is_challenged_is_sent_again() {
    let challenge = round(PROXY, &[SHA, MD5]);
    let peer = Trunk::start(vec![challenge.clone()], vec![challenge]).await;
    let voice = Voice::start(config(with_password(peer.address, "secret"), limits()))
        .await
        .unwrap();
    let host = Arc::new(TestHost::default());
    let ends = async {
        eventually("an answered call", || {
            host.steps().contains(&CallProgress::Answered).then_some(())
        })
        .await;
        voice.hang_up_all();
    };
    let (detail, ()) = tokio::join!(voice.ring(order(Language::En), host.clone()), ends);
    assert_eq!(detail.result, CallResult::Answered, "{detail:?}");
    let byes = eventually("a second BYE", || Some(peer.seen("BYE")).filter(|byes| byes.len() == 2)).await;
    assert!(proves(&byes[1], &[round(PROXY, &[SHA])]), "{}", byes[1]);
    // The same nonce, the second time.
    assert!(
        byes[1].contains("nonce=\"s1\"") && byes[1].contains("nc=00000002"),
        "{}",
        byes[1]
    );
    voice.shutdown().await;
}
