//! The socket under the SIP library: each request leaves by the next hop of its own leg, whatever address the library has made
//! of its text. The library knows no legs when it chooses one: it follows a domain instead of the INVITE, or asks name servers.

use super::LINGER;
use super::next_hop::{Named, NextHop};
use async_trait::async_trait;
use rsipstack::platform::net::UdpSocket;
use rsipstack::sip::{HeadersExt, Host, Method, Request, Uri};
use rsipstack::transport::SipAddr;
use rsipstack::transport::transport_layer::DomainResolver;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// Where the library believes that all requests go.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Legs that are over and still known; the oldest is forgotten first.
const OVER_MAX: usize = 4_096;
/// Phones of a forked call whose BYEs are kept.
const BYES_MAX: usize = 16;

/// The next hops of all legs.
#[derive(Default)]
pub(super) struct Legs(Mutex<State>);

#[derive(Default)]
struct State {
    legs: HashMap<String, Leg>,
    over: VecDeque<(Instant, String)>,
}

struct Leg {
    hop: NextHop,
    /// The Request-URI of our INVITE, which names whom it is for and not where it goes.
    invited: Option<String>,
    byes: watch::Sender<Byes>,
}

/// What the network said to the first BYE under each of the far side's tags, the error in words. A call that was forked and
/// answered twice has one for each phone (RFC 3261 §13.2.2.4).
type Byes = Vec<(String, Result<(), String>)>;

impl State {
    fn forget_old(&mut self, now: Instant) {
        while self.over.len() > OVER_MAX || self.over.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, key)) = self.over.pop_front() else { return };
            self.legs.remove(&key);
        }
    }
}

impl Legs {
    /// From now on the requests of this leg go by `hop`. `key` is the Call-ID of a call that we place, whose Request-URI is
    /// `invited`, or our own tag in one that comes in: both are made here, so that no text of others finds a leg.
    pub fn add(self: &Arc<Self>, key: String, hop: NextHop, invited: Option<String>) -> LegRoute {
        let (byes, said) = watch::channel(Byes::new());
        let mut state = self.state();
        state.forget_old(Instant::now());
        state.legs.insert(key.clone(), Leg { hop, invited, byes });
        LegRoute {
            legs: Arc::clone(self),
            key,
            byes: said,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a request of ours goes, and its leg's key; none if that is not known.
    fn hop(&self, request: &Request) -> Option<(SocketAddr, String)> {
        let tag = request.from_header().ok().and_then(|from| from.tag().ok().flatten());
        let call_id = request.call_id_header().ok()?.value();
        let state = self.state();
        // The tag first: a call of ours that a carrier sends back to us has one Call-ID and two legs.
        let mut keys = tag.as_ref().map(|tag| tag.value()).into_iter().chain([call_id]);
        let (key, leg) = keys.find_map(|key| state.legs.get_key_value(key))?;
        let target = request.destination();
        let hop = if leg.invited.as_ref() == Some(&target.to_string()) {
            leg.hop.invite()
        } else {
            leg.hop.of(named(&target))
        };
        Some((hop, key.clone()))
    }

    /// What the network says to a BYE to the phone with this tag; only of its first one is it kept.
    fn note_bye(&self, key: &str, tag: String, said: Result<(), String>) {
        if let Some(leg) = self.state().legs.get(key) {
            leg.byes.send_if_modified(|byes| {
                let is_first = byes.len() < BYES_MAX && byes.iter().all(|(known, _)| *known != tag);
                if is_first {
                    byes.push((tag, said));
                }
                is_first
            });
        }
    }
}

/// The far side's tag in a request of ours; empty for none.
fn remote_tag(request: &Request) -> String {
    let tag = request.to_header().ok().and_then(|to| to.tag().ok().flatten());
    tag.map(|tag| tag.value().to_owned()).unwrap_or_default()
}

fn named(target: &Uri) -> Named {
    match target.host() {
        Host::Domain(_) => Named::Name,
        Host::IpAddr(ip) => Named::Address(*ip, target.host_with_port.port.map(|port| port.value())),
    }
}

/// A leg's next hop, for as long as it lives and a little longer.
pub(super) struct LegRoute {
    legs: Arc<Legs>,
    key: String,
    byes: watch::Receiver<Byes>,
}

impl LegRoute {
    /// Waits until a BYE of this leg to the phone with this tag, empty for none, has left; the error is why it could not. It may
    /// still be sent again.
    pub async fn bye_left(&mut self, tag: &str) -> Result<(), String> {
        let of_phone = |byes: &Byes| {
            byes.iter()
                .find(|(known, _)| known == tag)
                .map(|(_, said)| said.clone())
        };
        match self.byes.wait_for(|byes| of_phone(byes).is_some()).await {
            Ok(byes) => of_phone(&byes).unwrap_or(Ok(())),
            Err(_) => Err("its leg is over".to_owned()),
        }
    }

    /// For a leg after whose end no request of ours follows.
    pub fn forget(self) {
        self.legs.state().legs.remove(&self.key);
    }
}

impl Drop for LegRoute {
    fn drop(&mut self) {
        let mut state = self.legs.state();
        if state.legs.contains_key(&self.key) {
            state.over.push_back((Instant::now() + LINGER, self.key.clone()));
        }
    }
}

/// The socket.
pub(super) struct HopSocket {
    /// What really receives and sends.
    pub socket: Arc<dyn UdpSocket>,
    pub legs: Arc<Legs>,
}

#[async_trait]
impl UdpSocket for HopSocket {
    async fn recv_from(&self, buffer: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buffer).await
    }

    async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> rsipstack::Result<usize> {
        let Some(request) = request(bytes) else {
            return self.socket.send_to(bytes, address).await;
        };
        let Some((hop, leg)) = self.legs.hop(&request) else {
            let method = request.method;
            return Err(rsipstack::Error::Error(format!("the leg of a {method} is over")));
        };
        tracing::debug!(method = %request.method, %hop, "a SIP request leaves");
        let sent = self.socket.send_to(bytes, hop).await;
        if request.method == Method::Bye {
            let said = sent.as_ref().map(|_| ()).map_err(|error| error.to_string());
            self.legs.note_bye(&leg, remote_tag(&request), said);
        }
        sent
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A request; answers and what keeps an address open go where they are sent.
fn request(bytes: &[u8]) -> Option<Request> {
    if bytes.starts_with(b"SIP/2.0") {
        return None;
    }
    Request::try_from(bytes).ok()
}

/// Nothing is looked up, so that no call waits for a name server.
pub(super) struct NoNames;

#[async_trait]
impl DomainResolver for NoNames {
    async fn resolve(&self, target: &SipAddr) -> rsipstack::Result<SipAddr> {
        Err(rsipstack::Error::DnsResolutionError(format!(
            "{target} is not looked up"
        )))
    }
}

#[cfg(test)]
#[path = "rsip_hop_tests.rs"]
mod tests;
