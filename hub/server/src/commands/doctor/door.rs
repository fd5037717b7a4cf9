//! The hub's doors: ports, certificate, and the hub itself if it runs.

use super::found::Found;
use crate::config::Config;
use anyhow::{Context, Error, Result, bail, ensure};
use hub_broker::{TlsFiles, own_certificate};
use hub_store_postgres::Cluster;
use jiff::{SignedDuration, Timestamp};
use std::io::{ErrorKind, Result as IoResult};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A hub on this machine answers within this time.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Its answer is not longer than this, in bytes.
const ANSWER_LEN_MAX: u64 = 16 * 1024;
/// A certificate that ends within this is to be renewed.
const RENEW_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) fn port(addr: SocketAddr, bound: IoResult<()>, hub_runs: bool) -> Result<Found> {
    match bound {
        Ok(()) if hub_runs => {
            bail!("{addr} is not open although the hub runs; was its configuration changed? restart it")
        }
        Ok(()) => Found::ok(format!("{addr} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && hub_runs => {
            Found::ok(format!("{addr} is in use by the running hub"))
        }
        Err(error) => {
            let why = format!("{addr} is taken by another program, or not an address of this machine; choose another");
            Err(error).context(why)
        }
    }
}

/// Whether people who come by a name are answered.
pub(super) fn host_names(config: &Config) -> Result<Found> {
    if let Some(set) = config.names_missing() {
        return Found::warn(format!(
            "{set} is set and host_names is empty: people who come by a name get 421; list the names that they type"
        ));
    }
    let mut answered = vec!["addresses", "localhost"];
    answered.extend(config.host_names.iter().map(String::as_str));
    Found::ok(answered.join(", "))
}

/// Whether the certificate is good now and for the next weeks, and whether the key goes with it.
pub(super) fn certificate(files: &TlsFiles, now: Timestamp) -> Result<Found> {
    let own = own_certificate(files).map_err(Error::from)?;
    let file = files.chain.display();
    ensure!(
        now <= own.not_after,
        "{file} ended on {}: devices refuse it; put a new one in its place, no restart is needed",
        own.not_after
    );
    ensure!(
        own.not_before <= now,
        "{file} begins on {}: check the clock, or use one that is good now",
        own.not_before
    );
    let said = format!("{} until {}, the key goes with it", own.subject, own.not_after);
    if own.not_after.duration_since(now) < RENEW_WITHIN {
        return Found::warn(format!("{said}; renew it now"));
    }
    Found::ok(said)
}

/// A hub with its own database holds its state directory; one with a given database answers over HTTP.
pub(super) async fn hub_runs(config: &Config) -> bool {
    if config.database_url.is_none() {
        return Cluster::is_running(&config.state_dir).unwrap_or(false);
    }
    let answer = ask(config.http, "/healthz").await;
    answer.is_ok_and(|answer| answer.contains(" 200 ") && answer.ends_with("\r\n\r\nok\n"))
}

/// What the running hub says of itself.
pub(super) async fn ready(http: SocketAddr) -> Result<Found> {
    let answer = ask(http, "/readyz")
        .await
        .with_context(|| format!("a hub holds the state directory and does not answer on {http}; look at its log"))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer of /readyz has no body")?;
    if body.contains("\"standby\"") {
        return Found::ok("the running hub stands by: another one works on the database".to_owned());
    }
    ensure!(
        head.contains(" 200 "),
        "the hub says that it is not ready: {}",
        body.trim()
    );
    if body.contains("\"notices\"") {
        return Found::warn(format!(
            "the running hub is ready, and has something to say: {}",
            body.trim()
        ));
    }
    Found::ok("the running hub is ready".to_owned())
}

async fn ask(http: SocketAddr, path: &str) -> Result<String> {
    let answer = async {
        let mut stream = TcpStream::connect(http).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {http}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(ANSWER_LEN_MAX).read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(ANSWER_LIMIT, answer)
        .await
        .context("no answer in time")?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::net::{Ipv4Addr, TcpListener};
    use std::path::Path;

    fn files(dir: &Path, year: i32, own_key: bool) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["hub.example".into()]).unwrap();
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(year, 1, 31);
        let files = TlsFiles {
            chain: dir.join("chain.pem"),
            key: dir.join("key.pem"),
        };
        std::fs::write(&files.chain, params.self_signed(&key).unwrap().pem()).unwrap();
        let key = if own_key { key } else { KeyPair::generate().unwrap() };
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn said(result: Result<Found>) -> String {
        match result {
            Ok(Found::Ok(text)) => format!("ok {text}"),
            Ok(Found::Warn(text)) => format!("warn {text}"),
            Err(error) => format!("FAIL {error:#}"),
        }
    }

    #[test]
    fn a_certificate_is_good_soon_over_over_or_of_another_key() {
        let dir = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-01-11T00:00:00Z".parse().unwrap();
        let check = |files: &TlsFiles| said(certificate(files, now));
        let good = check(&files(dir.path(), 2027, true));
        assert!(good.starts_with("ok ") && good.contains("2027-01-31"), "{good}");
        let soon = check(&files(dir.path(), 2026, true));
        assert!(soon.starts_with("warn ") && soon.contains("renew it"), "{soon}");
        let over = check(&files(dir.path(), 2025, true));
        assert!(
            over.starts_with("FAIL ") && over.contains("ended on 2025-01-31"),
            "{over}"
        );
        let other = check(&files(dir.path(), 2027, false));
        assert!(
            other.starts_with("FAIL ") && other.contains("cannot be used together"),
            "{other}"
        );
        let none = check(&TlsFiles {
            chain: dir.path().join("none.pem"),
            key: dir.path().join("key.pem"),
        });
        assert!(none.contains("none.pem"), "{none}");
    }

    #[test]
    fn names_that_nobody_has_listed_are_a_warning_where_people_come_by_them() {
        let check = |text: &str| said(host_names(&toml::from_str::<Config>(text).unwrap()));
        for set in ["behind_tls", "expose"] {
            let missing = check(&format!("{set} = true"));
            assert!(
                missing.starts_with(&format!("warn {set} ")) && missing.contains("get 421"),
                "{missing}"
            );
            let listed = check(&format!("{set} = true\nhost_names = ['console.example']"));
            assert_eq!(listed, "ok addresses, localhost, console.example");
        }
        assert_eq!(check(""), "ok addresses, localhost");
    }

    #[tokio::test]
    async fn a_port_is_free_the_hubs_or_somebody_elses() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = taken.local_addr().unwrap();
        let bind = || TcpListener::bind(addr).map(drop);
        assert!(said(port(addr, bind(), true)).starts_with("ok "));
        assert!(said(port(addr, bind(), false)).contains("taken by another program"));
        drop(taken);
        assert!(said(port(addr, bind(), false)).starts_with("ok "));
        assert!(said(port(addr, bind(), true)).contains("not open although the hub runs"));
        let closed = said(ready(addr).await);
        assert!(
            closed.starts_with("FAIL ") && closed.contains("does not answer"),
            "{closed}"
        );
    }
}
