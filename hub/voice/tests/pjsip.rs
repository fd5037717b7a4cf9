//! Calls with pjsip, a telephone that nobody here wrote: it insists on a session timer, and sends keys as telephone events and
//! inside signalling. `tests/sip/pjsip_phone.py` is the phone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, config, eventually, limits, logs, number, order, trunk};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::{CallDetail, Voice};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The Python with pjsip, in the target folder that this program was built in.
fn python() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let mut places = program
        .ancestors()
        .map(|folder| folder.join("clients/pjsip/bin/python"));
    let found = places.find(|path| path.exists());
    found.expect("pjsip is in target/clients/pjsip; `cargo xtask setup test` installs it if it is missing")
}

/// An even port that was free just now; the phone takes the next one if it is not any more.
fn media_port() -> u16 {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port() & !1
}

/// A phone for one call.
struct Phone {
    child: Child,
    folder: tempfile::TempDir,
}

impl Phone {
    fn start(way: &str, keys: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sip/pjsip_phone.py");
        let said = std::fs::File::create(folder.path().join("said")).unwrap();
        let errors = std::fs::File::create(folder.path().join("errors")).unwrap();
        let child = Command::new(python())
            .arg(script.canonicalize().unwrap())
            .args(["--media-port", &media_port().to_string(), "--way", way, "--keys", keys])
            .args(more)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(errors)
            .spawn()
            .expect("pjsip's Python starts; `cargo xtask setup test` installs it again once that folder is removed");
        Self { child, folder }
    }

    fn file(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The rest of the line that begins with this word, once it is said.
    async fn says(&mut self, word: &str) -> String {
        let what = format!("pjsip says {word:?}");
        eventually(&what, || {
            // First whether it has ended: what it says is complete then.
            let over = self.child.try_wait().unwrap();
            let said = self.file("said");
            let line = said
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
                .find_map(|line| line.strip_prefix(word));
            assert!(
                line.is_some() || over.is_none(),
                "{what}: {over:?}\n{said}\n{}\n{}",
                self.file("errors"),
                self.file("pjsip.log")
            );
            line.map(|rest| rest.trim().to_owned())
        })
        .await
    }

    async fn address(&mut self) -> SocketAddr {
        self.says("ready").await.parse().unwrap()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn booked(detail: &CallDetail, phone: &Phone) {
    assert_eq!(
        (detail.result, detail.digits.as_str(), detail.disposition),
        (CallResult::Answered, "1", Some(Disposition::AppointmentBooked)),
        "{detail:?}\n{}",
        phone.file("pjsip.log")
    );
    assert!(
        detail.audio.packets_received > 20 && detail.audio.packets_sent > 50,
        "{:?}",
        detail.audio
    );
}

/// The hub rings the phone.
async fn rung(way: &str) {
    let mut phone = Phone::start(way, "1", &[]);
    let voice = Voice::start(config(trunk(phone.address().await), limits()))
        .await
        .unwrap();
    let call = voice.ring(order(Language::En), Arc::new(TestHost::default()));
    let detail = tokio::time::timeout(std::time::Duration::from_secs(90), call)
        .await
        .expect("a bounded call");
    booked(&detail, &phone);
    assert_eq!(detail.reason, "we hung up at the end", "{way}");
    phone.says("ended").await;
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_insists_on_a_session_timer_is_rung_and_its_keys_count_either_way() {
    logs();
    tokio::join!(rung("rfc4733"), rung("info"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_insists_on_a_session_timer_rings_back() {
    logs();
    // The phone comes from there, on a port that nobody knows yet.
    let carrier = trunk("127.0.0.1:9".parse().unwrap());
    let voice = Arc::new(Voice::start(config(carrier, limits())).await.unwrap());
    let host = Arc::new(TestHost {
        takes: Some(order(Language::En)),
        ..TestHost::default()
    });
    let (serving, served) = (Arc::clone(&voice), Arc::clone(&host));
    tokio::spawn(async move { serving.serve_inbound(served, CancellationToken::new()).await });
    let target = format!("sip:+864008000001@{}", voice.local());
    let mut phone = Phone::start("rfc4733", "1", &["--rings", &target]);
    phone.says("answered").await;
    let detail = host.finished_once().await;
    booked(&detail, &phone);
    assert_eq!(host.callers(), [Some(number("+8613800008412"))]);
    phone.says("ended").await;
    let log = phone.file("pjsip.log");
    let agrees = |answer: &str| {
        let answer = answer.split("--end msg--").next().unwrap_or_default();
        answer.contains("Session-Expires: 90;refresher=") && answer.contains("Require: timer")
    };
    assert!(
        log.split("SIP/2.0 200 ").skip(1).any(agrees),
        "the timer is agreed on: {log}"
    );
    voice.shutdown().await;
}
