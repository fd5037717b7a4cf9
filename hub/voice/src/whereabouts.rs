//! Where the hosts of a trunk are, and where we are: the address that was declared, or what the name is resolved to, at the start
//! and again and again.
//! No call waits for a name server.

use futures::future::join_all;
use hub_core::host::{Host, HostPort};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// A name server has so long to answer, with the time that a name waits for its turn.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between two looks: a carrier that moves is followed within this.
const AGAIN: Duration = Duration::from_secs(60);
/// Addresses that one name may have.
const ADDRESSES_MAX: usize = 16;
/// Names that are asked for at the same time: each keeps a thread of the system's until its name server answers or is given up,
/// half a minute and more after nobody here waits for it.
const AT_ONCE_MAX: usize = 64;
/// Who holds none of these asks nobody: other work needs those threads too.
static ASKING: Semaphore = Semaphore::const_new(AT_ONCE_MAX);
/// SIP's own port (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// The name server refused or could not be asked.
    #[error("the name {name} cannot be resolved; check it, and the machine's name server")]
    Failed {
        /// With its port.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No answer in time.
    #[error("the name {name} was not resolved within {} s; check the machine's name server", DEADLINE.as_secs())]
    Slow {
        /// With its port.
        name: String,
    },
    /// All its addresses are of the other kind.
    #[error("the name {name} has no address of the kind that the hub's own SIP address is of (IPv4 or IPv6)")]
    OtherKind {
        /// With its port.
        name: String,
    },
}

/// A host whose port is not asked for: it is looked up with SIP's own.
pub fn at_any_port(host: &Host) -> HostPort {
    host.with_port(SIP_PORT)
}

/// Asks for the addresses of one kind, at least one, with a deadline. An address stands for itself.
pub async fn look_up(of: &HostPort, is_ipv4: bool) -> Result<Vec<SocketAddr>, LookUpError> {
    look_up_until(of, is_ipv4, &ASKING, Instant::now() + DEADLINE).await
}

async fn look_up_until(
    of: &HostPort,
    is_ipv4: bool,
    asking: &'static Semaphore,
    until: Instant,
) -> Result<Vec<SocketAddr>, LookUpError> {
    let (host, port) = match of {
        HostPort::Address(address) => return Ok(vec![*address]),
        HostPort::Name { host, port } => (host.clone(), *port),
    };
    let name = of.to_string();
    let Ok(Ok(place)) = timeout_at(until, asking.acquire()).await else {
        return Err(LookUpError::Slow { name });
    };
    // In a task of its own, which holds its place as long as the system keeps the thread.
    let asked = tokio::spawn(async move {
        let _place = place;
        let found = tokio::net::lookup_host((host.as_str(), port)).await?;
        Ok::<Vec<SocketAddr>, std::io::Error>(found.collect())
    });
    match timeout_at(until, asked).await {
        Ok(Ok(Ok(found))) => {
            let found: Vec<_> = found
                .into_iter()
                .filter(|address| address.is_ipv4() == is_ipv4)
                .take(ADDRESSES_MAX)
                .collect();
            if found.is_empty() {
                return Err(LookUpError::OtherKind { name });
            }
            Ok(found)
        }
        Ok(Ok(Err(source))) => Err(LookUpError::Failed { name, source }),
        Ok(Err(failed)) => {
            let source = std::io::Error::other(failed);
            Err(LookUpError::Failed { name, source })
        }
        Err(_) => Err(LookUpError::Slow { name }),
    }
}

/// Where one of them is now.
#[derive(Debug)]
pub struct Whereabouts {
    host: HostPort,
    addresses: RwLock<Vec<SocketAddr>>,
}

impl Whereabouts {
    /// An address is known at once; a name is not before it is resolved.
    pub fn new(host: HostPort) -> Self {
        let addresses = match &host {
            HostPort::Address(address) => vec![*address],
            HostPort::Name { .. } => Vec::new(),
        };
        Self {
            host,
            addresses: RwLock::new(addresses),
        }
    }

    /// Where requests go; none as long as the name could never be resolved.
    pub fn first(&self) -> Option<SocketAddr> {
        self.addresses().first().copied()
    }

    /// Whether requests from `ip` are its own.
    pub fn include(&self, ip: IpAddr) -> bool {
        let is_it = |address: &SocketAddr| address.ip().to_canonical() == ip.to_canonical();
        self.addresses().iter().any(is_it)
    }

    /// All addresses that it has now.
    pub(crate) fn addresses(&self) -> RwLockReadGuard<'_, Vec<SocketAddr>> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what was found. The address in use stays the first as long as it is among them: name servers answer in turn.
    fn update(&self, mut found: Vec<SocketAddr>) {
        let mut addresses = self.addresses.write().unwrap_or_else(PoisonError::into_inner);
        let in_use = addresses
            .first()
            .and_then(|first| found.iter().position(|at| at == first));
        if let Some(at) = in_use {
            found.swap(0, at);
        }
        *addresses = found;
    }

    /// Looks once. What was known before is kept when nothing is found.
    async fn resolve(&self, is_ipv4: bool) {
        if let HostPort::Address(_) = self.host {
            return;
        }
        let before = self.first();
        match look_up(&self.host, is_ipv4).await {
            Ok(found) => {
                self.update(found);
                let now = self.first();
                if now != before {
                    tracing::info!(host = %self.host, ?before, ?now, "host name of a trunk has a new address");
                }
            }
            // Once a minute for each name, at most.
            Err(error) => {
                let error = hub_core::error_chain::in_full(&error);
                tracing::warn!(
                    error,
                    ?before,
                    "host name of a trunk not resolved; the address known before stays in use"
                );
            }
        }
    }
}

/// Looks for all of them, within [`DEADLINE`].
pub(crate) async fn resolve(all: &[Arc<Whereabouts>], is_ipv4: bool) {
    join_all(all.iter().map(|one| one.resolve(is_ipv4))).await;
}

/// Looks again and again until `stop`.
pub(crate) async fn resolve_again(all: Vec<Arc<Whereabouts>>, is_ipv4: bool, stop: CancellationToken) {
    let is_named = |one: &Arc<Whereabouts>| matches!(one.host, HostPort::Name { .. });
    let mut named: Vec<_> = all.into_iter().filter(is_named).collect();
    if named.is_empty() {
        return;
    }
    loop {
        // Others first each time: names whose servers are silent must not take all turns for themselves.
        let first = AT_ONCE_MAX % named.len();
        named.rotate_left(first);
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = resolve(&named, is_ipv4) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> Vec<SocketAddr> {
        all.iter().map(|one| one.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_name_has_addresses_of_the_kind_that_is_asked_for() {
        let localhost = Whereabouts::new("localhost:5070".parse().unwrap());
        assert_eq!(localhost.first(), None);
        localhost.resolve(true).await;
        assert_eq!(localhost.first(), Some(SocketAddr::from(([127, 0, 0, 1], 5070))));
        assert!(localhost.include(IpAddr::from([127, 0, 0, 1])) && !localhost.include(IpAddr::from([127, 0, 0, 2])));
        let nowhere: HostPort = "nowhere.invalid:5060".parse().unwrap();
        let error = look_up(&nowhere, true).await.unwrap_err();
        assert!(error.to_string().contains("nowhere.invalid:5060"), "{error}");
        let fixed = Whereabouts::new("192.0.2.1:5060".parse().unwrap());
        fixed.resolve(true).await;
        assert_eq!(fixed.first(), Some(SocketAddr::from(([192, 0, 2, 1], 5060))));
    }

    #[tokio::test]
    async fn a_name_that_is_given_up_keeps_its_place_until_the_system_has_answered() {
        static FULL: Semaphore = Semaphore::const_new(0);
        static ONE: Semaphore = Semaphore::const_new(1);
        let localhost: HostPort = "localhost:5060".parse().unwrap();
        let soon = || Instant::now() + Duration::from_millis(20);
        let waits = look_up_until(&localhost, true, &FULL, soon()).await;
        assert!(matches!(waits, Err(LookUpError::Slow { .. })), "{waits:?}");
        // Its time is over as soon as it has its place.
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let given_up = look_up_until(&localhost, true, &ONE, past).await;
        assert!(matches!(given_up, Err(LookUpError::Slow { .. })), "{given_up:?}");
        assert_eq!(ONE.available_permits(), 0, "the system has not been asked yet");
        for _ in 0..2 {
            let found = look_up_until(&localhost, true, &ONE, Instant::now() + DEADLINE).await;
            assert_eq!(found.unwrap()[0], SocketAddr::from(([127, 0, 0, 1], 5060)));
        }
    }

    #[test]
    fn the_address_in_use_stays_while_the_name_still_has_it() {
        let place = Whereabouts::new("sip.carrier.example:5060".parse().unwrap());
        let [one, two, three] = ["192.0.2.1:5060", "192.0.2.2:5060", "192.0.2.3:5060"];
        for (found, first) in [(vec![one, two], one), (vec![two, one], one), (vec![two, three], two)] {
            place.update(addresses(&found));
            assert_eq!(place.first().unwrap().to_string(), first, "{found:?}");
            for address in addresses(&found) {
                assert!(place.include(address.ip()), "any of them may ring us");
            }
        }
        assert!(
            !place.include(IpAddr::from([192, 0, 2, 1])),
            "it is not the carrier's any more"
        );
    }
}
