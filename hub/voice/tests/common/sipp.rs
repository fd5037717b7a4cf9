//! SIPp as the far side; the scenarios are in `tests/sip`.

use super::eventually;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A SIPp process playing one scenario once.
pub struct Sipp {
    child: Child,
    pub address: SocketAddr,
    folder: tempfile::TempDir,
    name: String,
}

/// An even port that is free, with the three behind it: SIPp takes them for media, baresip the next one for TLS.
///
/// It lies below those that the system hands out (`ip_local_port_range`), so that no other socket can get it between the look
/// here and the program's start; the runner numbers the tests that run at a time, and each has ports of its own.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let slot = std::env::var("NEXTEST_TEST_GLOBAL_SLOT").ok();
    let slot: u16 = slot.and_then(|slot| slot.parse().ok()).unwrap_or(0);
    let free =
        |port: u16| UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..100)
        .map(|_| 10_000 + slot % 24 * 400 + NEXT.fetch_add(4, Ordering::Relaxed) % 400)
        .find(|port| (*port..port + 4).all(free))
        .expect("four ports in a row are free")
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sip")
}

impl Sipp {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], free_port())), name, arguments)
    }

    /// The same where something else was, or nothing.
    pub fn start_at(address: SocketAddr, name: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(scenarios().canonicalize().unwrap().join(format!("{name}.xml")))
            .args([
                "-i",
                "127.0.0.1",
                "-p",
                &address.port().to_string(),
                "-mp",
                &free_port().to_string(),
            ])
            .args([
                "-m",
                "1",
                "-nostdin",
                "-timeout",
                "40s",
                "-timeout_error",
                "-trace_msg",
                "-trace_err",
            ])
            .args(arguments)
            .current_dir(folder.path())
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("sipp starts; install sip-tester (Debian) if it is missing");
        Self {
            child,
            address,
            folder,
            name: name.into(),
        }
    }

    /// Waits for its end and insists that the scenario was played as written.
    pub async fn passed(mut self) {
        let until = Instant::now() + Duration::from_secs(45);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "{} does not end", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(status.success(), "{}: {status}\n{}", self.name, self.account());
    }

    /// What it saw, for the message of a failed test.
    pub fn account(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap().flatten();
        files
            .filter_map(|file| std::fs::read_to_string(file.path()).ok())
            .collect::<Vec<_>>()
            .join("\n---\n")
    }

    /// Waits until it has read all that was sent to it before.
    pub async fn reads_to_here(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let word = format!(
            "OPTIONS sip:test@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKhere\r\nFrom: <sip:test@{local}>;tag=1\r\n\
             To: <sip:test@{0}>\r\nCall-ID: here\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.address
        );
        socket.send_to(word.as_bytes(), self.address).unwrap();
        eventually("it reads", || (self.messages("OPTIONS ") > 0).then_some(())).await;
    }

    pub fn messages(&self, start: &str) -> usize {
        self.account().lines().filter(|line| line.starts_with(start)).count()
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
