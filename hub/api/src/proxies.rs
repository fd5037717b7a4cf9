//! Proxies in front of the hub: whose word about the address of a client counts, and whose does not.

use axum::http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// What a proxy writes the address of its client into, behind those that it was told.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Headers that a proxy adds: what bears one does not come from this machine itself.
const MARKS: [&str; 6] = [
    FORWARDED_FOR,
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "via",
];

/// Addresses of proxies that are trusted to say for whom they ask, in `X-Forwarded-For`. By default none is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

/// A word that names no proxy.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct NotAProxy(String);

impl Proxies {
    /// Addresses and networks, as they are written.
    ///
    /// # Errors
    ///
    /// A word is neither an address nor a network with the length of its prefix.
    pub fn parse(words: &[String]) -> Result<Self, NotAProxy> {
        let network = |word: &String| {
            let address = word.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| word.parse()).map_err(|_| NotAProxy(word.clone()))
        };
        words.iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a trusted proxy has this address.
    pub(crate) fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// For whom this peer asks: itself, unless it is trusted; then the last one in its word that is no trusted proxy.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let told = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer.to_canonical();
        for word in told {
            if !self.include(client) {
                break;
            }
            match address(word.trim()) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
    let address = bare.unwrap_or(word).parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(word.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

/// Whether a proxy, trusted or not, says that it stands in front.
pub(crate) fn is_marked(headers: &HeaderMap) -> bool {
    MARKS.iter().any(|mark| headers.contains_key(*mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(peer: &str, lines: &[&'static str]) -> String {
        let proxies = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"].map(str::to_owned);
        let proxies = Proxies::parse(&proxies).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_last_that_is_no_trusted_proxy_is_the_client() {
        for (peer, lines, address) in [
            ("192.0.2.1", ["198.51.100.7"].as_slice(), "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7, 10.1.2.3"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("127.0.0.1", &["[2001:db9::7]:4711"], "2001:db9::7"),
            ("127.0.0.1", &["[2001:db9::7]"], "2001:db9::7"),
            ("2001:db8::1", &["2001:db9::7"], "2001:db9::7"),
            ("::ffff:127.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["198.51.100.7, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7, unknown, 10.1.2.3"], "10.1.2.3"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
        ] {
            assert_eq!(client(peer, lines), address, "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_names_no_proxy_is_refused() {
        for wrong in ["", "proxy.example", "10.0.0.0/33", "10.0.0.1:80", "*"] {
            assert!(Proxies::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert_eq!(Proxies::parse(&[]).unwrap(), Proxies::default());
        assert!(!Proxies::default().include(IpAddr::from([127, 0, 0, 1])));
    }
}
