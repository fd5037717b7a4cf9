//! Datagrams of strangers at the SIP socket, as many a second as wanted, from a thread of its own.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Addresses that they come from: 127.0.0.201 and up.
const FIRST_ADDRESS: u8 = 201;
const ADDRESSES: u8 = 8;
/// Between two bursts.
const BURST_EVERY: Duration = Duration::from_millis(5);
/// The number that owners see when they are rung, which is where a call comes in.
const MAIN_NUMBER: &str = "+862155500100";

/// What the datagrams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new call, whose answer nobody acknowledges.
    Invite,
    /// The end of a call that is not known.
    Bye,
}

/// A flood that runs until it is stopped or dropped.
pub struct Flood {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Flood {
    /// Begins.
    ///
    /// # Errors
    /// The machine gives no sockets or no thread.
    pub fn start(hub: SocketAddr, kind: Kind, a_second: u32) -> Result<Self> {
        let sockets = (0..ADDRESSES)
            .map(|n| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, FIRST_ADDRESS + n), 0)))
            .collect::<std::io::Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("flood".into())
            .spawn(move || pour(&sockets, hub, kind, a_second, &stopped))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends it; how many the system took.
    pub fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.thread.take().map(JoinHandle::join);
        sent.and_then(std::result::Result::ok).unwrap_or(0)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn pour(sockets: &[UdpSocket], hub: SocketAddr, kind: Kind, a_second: u32, stop: &AtomicBool) -> u64 {
    let begun = Instant::now();
    let (mut next, mut taken) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * f64::from(a_second)) as u64;
        while next < due && !stop.load(Ordering::Relaxed) {
            for socket in sockets {
                if let Ok(local) = socket.local_addr() {
                    // What the system does not take is lost, as on a network.
                    let sent = socket.send_to(request(kind, hub, local, next).as_bytes(), hub);
                    taken += u64::from(sent.is_ok());
                }
                next += 1;
            }
        }
        std::thread::sleep(BURST_EVERY);
    }
    taken
}

/// The n-th request of this address.
pub fn request(kind: Kind, hub: SocketAddr, local: SocketAddr, n: u64) -> String {
    let (method, tag) = match kind {
        Kind::Invite => ("INVITE", String::new()),
        Kind::Bye => ("BYE", format!(";tag=nobody{n}")),
    };
    let port = local.port();
    format!(
        "{method} sip:{MAIN_NUMBER}@{hub} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{port}x{n}\r\nMax-Forwards: 70\r\n\
         From: <sip:+8613999999999@{local}>;tag=s{n}\r\nTo: <sip:{MAIN_NUMBER}@{hub}>{tag}\r\nCall-ID: s{port}x{n}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:+8613999999999@{local}>\r\nContent-Length: 0\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_requests_are_the_same_call() {
        let (hub, local) = (
            SocketAddr::from(([127, 0, 0, 1], 5060)),
            SocketAddr::from(([127, 0, 0, 201], 4000)),
        );
        let bye = request(Kind::Bye, hub, local, 7);
        assert!(
            bye.starts_with("BYE sip:+862155500100@127.0.0.1:5060 SIP/2.0\r\n"),
            "{bye}"
        );
        assert!(
            bye.contains(";tag=nobody7\r\nCall-ID: s4000x7\r\n") && bye.ends_with("\r\n\r\n"),
            "{bye}"
        );
        assert_ne!(
            request(Kind::Invite, hub, local, 1),
            request(Kind::Invite, hub, local, 2)
        );
    }

    #[test]
    fn a_flood_comes_from_many_addresses() {
        let hub = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        hub.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let flood = Flood::start(hub.local_addr().unwrap(), Kind::Invite, 2_000).unwrap();
        let mut buffer = [0; 2_048];
        let mut from = std::collections::BTreeSet::new();
        while from.len() < usize::from(ADDRESSES) {
            from.insert(hub.recv_from(&mut buffer).unwrap().1.ip());
        }
        assert!(flood.stop() >= u64::from(ADDRESSES));
    }
}
