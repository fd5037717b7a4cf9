//! Whether trunks answer: each proxy is sent OPTIONS (RFC 3261 §11), many of them at the same time.

use super::found::Found;
use crate::config::Config;
use crate::random;
use anyhow::{Context, Result, anyhow};
use hub_core::id::TenantId;
use hub_core::site::Trunk;
use hub_voice::whereabouts::look_up;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// A proxy has so long to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// It is asked again after this (T1 of RFC 3261 §17.1.2.2): a packet may be lost.
const AGAIN: Duration = Duration::from_millis(500);
/// Trunks that are asked at the same time.
const AT_ONCE: usize = 32;
/// Longest answer that is looked at, in bytes.
const ANSWER_LEN_MAX: usize = 2_048;
/// Trunks that are named one by one.
const NAMED_MAX: usize = 20;

/// What the trunks' proxies say, the silent ones by name. Silence is no failure of ours: a carrier may answer a running hub only.
pub(super) async fn answers(config: &Config, trunks: &[(TenantId, Trunk)]) -> Result<Found> {
    if trunks.is_empty() {
        return Found::ok("no trunk is declared: nobody is rung".to_owned());
    }
    let mut told: Vec<(bool, String)> = Vec::new();
    for some in trunks.chunks(AT_ONCE) {
        let mut asked = JoinSet::new();
        for (tenant, trunk) in some {
            let (tenant, trunk, ours) = (tenant.clone(), trunk.clone(), config.sip);
            asked.spawn(async move {
                let answer = ask(ours, &trunk).await;
                (answer.is_ok(), said(&tenant, &trunk, &answer))
            });
        }
        told.extend(asked.join_all().await);
    }
    let of = |wanted: bool| {
        let mut lines: Vec<&str> = told
            .iter()
            .filter(|(is_there, _)| *is_there == wanted)
            .map(|(_, line)| line.as_str())
            .collect();
        lines.sort_unstable();
        let more = lines.len().saturating_sub(NAMED_MAX);
        lines.truncate(NAMED_MAX);
        let rest = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        format!("{}{rest}", lines.join("; "))
    };
    match told.iter().any(|(is_there, _)| !is_there) {
        true => Found::warn(of(false)),
        false => Found::ok(of(true)),
    }
}

fn said(tenant: &TenantId, trunk: &Trunk, answer: &Result<String>) -> String {
    match answer {
        Ok(status) => format!("{tenant}: {} answers {status}", trunk.proxy),
        Err(error) => format!("{tenant}: {} does not answer OPTIONS ({error:#})", trunk.proxy),
    }
}

/// The status of the answer. From the hub's own port where it is free, since carriers know that one.
async fn ask(ours: SocketAddr, trunk: &Trunk) -> Result<String> {
    let proxy = *look_up(&trunk.proxy, ours.is_ipv4())
        .await?
        .first()
        .context("its name has no address")?;
    let socket = match UdpSocket::bind(ours).await {
        Ok(socket) => socket,
        Err(_) => UdpSocket::bind((ours.ip(), 0)).await?,
    };
    socket.connect(proxy).await?;
    let call = hex::encode(random::bytes::<12>());
    let request = options(&trunk.domain, socket.local_addr()?, &call);
    let answered = async {
        let mut next = Instant::now();
        let mut answer = [0; ANSWER_LEN_MAX];
        loop {
            if Instant::now() >= next {
                socket.send(request.as_bytes()).await?;
                next = Instant::now() + AGAIN;
            }
            let left = next.saturating_duration_since(Instant::now());
            if let Ok(received) = timeout(left, socket.recv(&mut answer)).await
                && let Some(status) = status(&answer[..received?], &call)
            {
                return anyhow::Ok(status);
            }
        }
    };
    timeout(PATIENCE, answered).await.map_err(|_| {
        anyhow!(
            "silent for {} s; is its address right, and does the carrier know ours?",
            PATIENCE.as_secs()
        )
    })?
}

fn options(domain: &str, ours: SocketAddr, call: &str) -> String {
    let lines = [
        format!("OPTIONS sip:{domain} SIP/2.0"),
        format!("Via: SIP/2.0/UDP {ours};branch=z9hG4bK{call};rport"),
        "Max-Forwards: 70".to_owned(),
        format!("From: <sip:forecall@{ours}>;tag={}", &call[..8]),
        format!("To: <sip:{domain}>"),
        format!("Call-ID: {call}"),
        "CSeq: 1 OPTIONS".to_owned(),
        format!("Contact: <sip:forecall@{ours}>"),
        "Accept: application/sdp".to_owned(),
        "Content-Length: 0".to_owned(),
    ];
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

/// Code and phrase of the final answer to this request; what else comes is not looked at. Any final answer will do: the proxy
/// lives.
fn status(answer: &[u8], call: &str) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("SIP/2.0 ")?;
    let is_ours = lines.any(|line| {
        let header = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        header.is_some_and(|(name, value)| {
            (name.eq_ignore_ascii_case("call-id") || name.eq_ignore_ascii_case("i")) && value == call
        })
    });
    let is_final = !status.starts_with('1');
    let shown: String = status.chars().filter(|c| !c.is_control()).take(60).collect();
    (is_ours && is_final).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::host::HostPort;

    fn trunk(proxy: SocketAddr) -> (TenantId, Trunk) {
        let declared = serde_json::json!({ "proxy": proxy.to_string(), "domain": "carrier.example", "caller_number": "+8621555500" });
        (
            TenantId::new("acme").unwrap(),
            serde_json::from_value(declared).unwrap(),
        )
    }

    fn config() -> Config {
        Config {
            sip: "127.0.0.1:0".parse().unwrap(),
            ..Config::default()
        }
    }

    /// A carrier that loses the first packet, speaks of another call, and then answers.
    async fn carrier() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut request = [0; 2_048];
            socket.recv_from(&mut request).await.unwrap();
            let (length, from) = socket.recv_from(&mut request).await.unwrap();
            let text = std::str::from_utf8(&request[..length]).unwrap();
            assert!(text.starts_with("OPTIONS sip:carrier.example SIP/2.0\r\n") && text.ends_with("\r\n\r\n"));
            let call = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap();
            for answer in [
                "SIP/2.0 200 OK\r\nCall-ID: another\r\n\r\n".to_owned(),
                format!("SIP/2.0 100 Trying\r\nCall-ID: {call}\r\n\r\n"),
                format!("SIP/2.0 404 Not Found\r\ni: {call}\r\n\r\n"),
            ] {
                socket.send_to(answer.as_bytes(), from).await.unwrap();
            }
        });
        at
    }

    #[tokio::test]
    async fn a_trunk_that_answers_is_told_from_one_that_does_not() {
        let there = trunk(carrier().await);
        let Found::Ok(said) = answers(&config(), std::slice::from_ref(&there)).await.unwrap() else {
            panic!("it answers")
        };
        assert_eq!(said, format!("acme: {} answers 404 Not Found", there.1.proxy));
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let silent = trunk(silent.local_addr().unwrap());
        let began = Instant::now();
        let Found::Warn(said) = answers(&config(), &[silent]).await.unwrap() else {
            panic!("it is silent")
        };
        assert!(
            said.contains("does not answer OPTIONS") && began.elapsed() < PATIENCE * 2,
            "{said}"
        );
        let gone = trunk("127.0.0.1:1".parse().unwrap());
        assert!(matches!(gone.1.proxy, HostPort::Address(_)));
        assert!(matches!(answers(&config(), &[gone]).await.unwrap(), Found::Warn(_)));
        assert!(matches!(answers(&config(), &[]).await.unwrap(), Found::Ok(_)));
    }
}
