//! Calls through kamailio, a proxy that nobody here wrote: digest in both algorithms, requests within a call by the route that it
//! records, a registered phone that rings back. The phone plays each message by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::wire::{Wire, header, over, reply};
use common::{TestHost, config, eventually, limits, logs, number, order, trunk, was_taken, with_password};
use hub_core::call_result::CallResult;
use hub_core::language::Language;
use hub_voice::{CallDetail, CallProgress, TrunkConfig, Voice};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PROGRAM: &str = "/usr/sbin/kamailio";
const SETTINGS: &str = include_str!("../../../tests/sip/kamailio.cfg");
/// The number of the phone, which registers.
const PHONE: &str = "+8613800008412";
/// Longer than it takes to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for the first packet on a busy machine; a packet comes every 20 ms.
const SOON: Duration = Duration::from_secs(5);
/// Starts on ports that somebody else has taken meanwhile.
const STARTS_MAX: usize = 5;

/// A proxy of its own, on a port of its own.
struct Kamailio {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Kamailio {
    /// One that demands digest by this algorithm; it answers when this returns.
    async fn start(algorithm: &str) -> Self {
        logs();
        for _ in 0..STARTS_MAX {
            let mut proxy = Self::spawn(algorithm);
            if proxy.is_up().await {
                return proxy;
            }
            eprintln!("kamailio ended at its start: {}", proxy.account());
        }
        panic!("kamailio does not start: see above");
    }

    fn spawn(algorithm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let settings = SETTINGS
            .replace(":PORT", &format!(":{}", address.port()))
            .replace("\"ALGORITHM\"", &format!("\"{algorithm}\""));
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, settings).unwrap();
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let child = Command::new(PROGRAM)
            .arg("-f")
            .arg(&file)
            // In the foreground, its log to standard error, with little memory.
            .args(["-DD", "-E", "-m", "32", "-M", "8"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("kamailio starts; `cargo xtask setup test` installs it if it is missing");
        Self { child, address, folder }
    }

    /// Waits until it answers; false if it has ended.
    async fn is_up(&mut self) -> bool {
        let asker = Wire::open().await;
        let options = format!(
            "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};branch=z9hG4bKup\r\nFrom: <sip:up@{1}>;tag=up\r\nTo: <sip:{0}>\r\n\
             Call-ID: up-{1}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.address, asker.address
        );
        let until = Instant::now() + PATIENCE;
        loop {
            asker.send(&options, self.address).await;
            if asker.hears(Duration::from_millis(200)).await {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < until, "kamailio is silent: {}", self.account());
        }
    }

    /// What it logged, for the message of a failed test.
    fn account(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// A phone that has registered.
    async fn phone(&self) -> Wire {
        let phone = Wire::open().await;
        let own = phone.address;
        let register = format!(
            "REGISTER sip:trunk.test SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKregister\r\n\
             From: <sip:{PHONE}@trunk.test>;tag=far\r\nTo: <sip:{PHONE}@trunk.test>\r\nCall-ID: register-{own}\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:far@{own}>\r\nExpires: 300\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        phone.send(&register, self.address).await;
        let (answer, _) = phone.next("SIP/2.0 ").await;
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}{}", self.account());
        phone
    }
}

impl Drop for Kamailio {
    /// Its processes end when the first one is asked to; that one killed, the others would stay on their port.
    fn drop(&mut self) {
        let ask = format!("kill {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &ask]).status();
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = self.child.kill();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.wait();
    }
}

async fn hub(trunk: TrunkConfig) -> Arc<Voice> {
    Arc::new(Voice::start(config(trunk, limits())).await.unwrap())
}

fn rings(voice: &Arc<Voice>) -> JoinHandle<CallDetail> {
    let ringing = Arc::clone(voice);
    tokio::spawn(async move { ringing.ring(order(Language::En), Arc::new(TestHost::default())).await })
}

/// The route that kamailio has recorded, as the next request of the phone carries it.
fn route(message: &str) -> String {
    format!("Route: {}\r\n", header(message, "Record-Route").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_out_proves_its_password_and_ends_by_the_recorded_route_from_both_sides() {
    for (algorithm, hub_ends) in [("MD5", true), ("SHA-256", false)] {
        let proxy = Kamailio::start(algorithm).await;
        let (phone, audio) = (proxy.phone().await, Wire::open().await);
        let voice = hub(with_password(proxy.address, "secret")).await;
        let call = rings(&voice);
        // kamailio lets nothing through that has not proved the password.
        let invite = phone.next("INVITE ").await;
        let proof = header(&invite.0, "Proxy-Authorization").unwrap();
        let is_stronger = proof.contains("algorithm=SHA-256");
        assert_eq!(is_stronger, algorithm == "SHA-256", "{proof}");
        assert_eq!(invite.1, proxy.address);
        // The ACK has to come by the recorded route too.
        phone.answer(&invite, "", &audio.described()).await;
        assert!(audio.hears(SOON).await, "audio goes from the hub to the phone");
        let reason = if hub_ends {
            voice.hang_up_all();
            let (bye, from) = phone.next("BYE ").await;
            assert_eq!(from, proxy.address, "by the route: {bye}");
            phone.send(&reply(&bye, "200 OK", "", ""), from).await;
            "the hub is stopping"
        } else {
            let bye = phone.asks(&invite, ("BYE", 1), (&route(&invite.0), "")).await;
            assert!(bye.starts_with("SIP/2.0 200 "), "{bye}");
            "the owner hung up"
        };
        let detail = over(call).await;
        assert_eq!(
            (was_taken(&detail), detail.reason.as_str()),
            (true, reason),
            "{algorithm}: {detail:?}\n{}",
            proxy.account()
        );
        voice.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_rings_nobody_and_a_phone_that_has_not_registered_is_told() {
    let proxy = Kamailio::start("SHA-256").await;
    for (password, result, status) in [
        ("wrong", CallResult::TrunkRefused, 407),
        ("secret", CallResult::InvalidNumber, 404),
    ] {
        let voice = hub(with_password(proxy.address, password)).await;
        let detail = over(rings(&voice)).await;
        assert_eq!(
            (detail.result, detail.sip_status),
            (result, Some(status)),
            "{detail:?}\n{}",
            proxy.account()
        );
        voice.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_in_by_it_is_the_owners_and_its_bye_goes_back_by_it() {
    let proxy = Kamailio::start("MD5").await;
    let (phone, audio) = (proxy.phone().await, Wire::open().await);
    let voice = hub(trunk(proxy.address)).await;
    let host = Arc::new(TestHost {
        takes: Some(order(Language::En)),
        ..TestHost::default()
    });
    let (serving, served) = (Arc::clone(&voice), Arc::clone(&host));
    tokio::spawn(async move { serving.serve_inbound(served, CancellationToken::new()).await });
    let invite = phone.invite(voice.local(), ("", &audio.described()));
    phone.send(&invite, proxy.address).await;
    let (answer, from) = phone.next("SIP/2.0 200 ").await;
    assert_eq!(from, proxy.address);
    assert_eq!(
        host.callers(),
        [Some(number(PHONE))],
        "what the carrier asserts: {}",
        proxy.account()
    );
    let ack = phone.follows(&invite, &answer, ("ACK", 1), "");
    let forwards = "Max-Forwards: 70\r\n";
    let routed = ack.replace(forwards, &format!("{forwards}{}", route(&answer)));
    phone.send(&routed, proxy.address).await;
    assert!(audio.hears(SOON).await, "audio goes from the hub to the phone");
    let is_answered = || host.steps().contains(&CallProgress::Answered).then_some(());
    eventually("a conversation", is_answered).await;
    voice.hang_up_all();
    let (bye, from) = phone.next("BYE ").await;
    assert_eq!(from, proxy.address, "by the route: {bye}");
    phone.send(&reply(&bye, "200 OK", "", ""), from).await;
    let detail = host.finished_once().await;
    assert_eq!(
        (detail.result, detail.reason.as_str()),
        (CallResult::Answered, "the hub is stopping"),
        "{detail:?}"
    );
    voice.shutdown().await;
}
