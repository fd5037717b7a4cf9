//! A host, alone or with a port, as people write it: `sip.carrier.example:5060`, `192.0.2.1:5060`, `[2001:db8::1]:5060`.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The longest name and the longest of its parts (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// A host without a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name, in lower case, which has to be resolved.
    Name(String),
}

impl Host {
    /// The same with a port.
    pub fn with_port(&self, port: u16) -> HostPort {
        match self {
            Self::Address(ip) => HostPort::Address(SocketAddr::new(*ip, port)),
            Self::Name(name) => HostPort::Name {
                host: name.clone(),
                port,
            },
        }
    }
}

/// Not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host, such as hub.example or 192.0.2.1, without a port")]
pub struct HostError(String);

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Address(ip));
        }
        if is_name(text) {
            return Ok(Self::Name(text.to_ascii_lowercase()));
        }
        Err(HostError(text.to_owned()))
    }
}

impl TryFrom<String> for Host {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        text.parse()
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Address(ip)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => fmt::Display::fmt(ip, f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where something is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum HostPort {
    /// An address and a port.
    Address(SocketAddr),
    /// A name, which has to be resolved, and a port.
    Name {
        /// The name, in lower case.
        host: String,
        /// The port, not 0.
        port: u16,
    },
}

/// Not a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host with a port, such as sip.carrier.example:5060 or 192.0.2.1:5060")]
pub struct HostPortError(String);

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, HostPortError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let read = || {
            let (host, port) = text.rsplit_once(':')?;
            let port: u16 = port.parse().ok()?;
            (port > 0 && is_name(host)).then(|| Self::Name {
                host: host.to_ascii_lowercase(),
                port,
            })
        };
        read().ok_or_else(|| HostPortError(text.to_owned()))
    }
}

/// What DNS may know, so that a mistyped address is not looked up: its last part is no number.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or(host);
    host.len() <= NAME_MAX && host.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl TryFrom<String> for HostPort {
    type Error = HostPortError;

    fn try_from(text: String) -> Result<Self, HostPortError> {
        text.parse()
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_and_written_alike() {
        for text in ["192.0.2.1:5060", "[2001:db8::1]:5060"] {
            let read: HostPort = text.parse().unwrap();
            assert!(matches!(read, HostPort::Address(_)));
            assert_eq!(read.to_string(), text);
        }
        for (text, written) in [
            ("sip.carrier.example:5060", "sip.carrier.example:5060"),
            ("SIP-1.Carrier.example:1", "sip-1.carrier.example:1"),
            ("localhost:65535", "localhost:65535"),
            ("3com.example:5060", "3com.example:5060"),
        ] {
            let read: HostPort = text.parse().unwrap();
            assert!(matches!(read, HostPort::Name { .. }));
            assert_eq!(read.to_string(), written);
        }
    }

    #[test]
    fn a_host_alone_has_no_port() {
        for (text, with_port) in [
            ("192.0.2.1", "192.0.2.1:5062"),
            ("2001:db8::1", "[2001:db8::1]:5062"),
            ("Hub.Example", "hub.example:5062"),
        ] {
            let host: Host = text.parse().unwrap();
            assert_eq!(host.with_port(5062).to_string(), with_port);
        }
        for wrong in [
            "",
            "hub.example:5062",
            "192.0.2.1:5062",
            "192.0.2.300",
            "[2001:db8::1]",
            "a b",
        ] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_is_kept_as_it_is_read() {
        for (text, written) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("Edge.Carrier.example", "edge.carrier.example"),
        ] {
            let host: Host = serde_json::from_value(text.into()).unwrap();
            assert_eq!(host.to_string(), written);
            let kept = serde_json::to_value(&host).unwrap();
            assert_eq!(kept, written);
            assert_eq!(serde_json::from_value::<Host>(kept).unwrap(), host);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = format!("{}.example:5060", "a".repeat(64));
        for wrong in [
            "",
            ":5060",
            "sip.carrier.example",
            "sip.carrier.example:",
            "sip.carrier.example:0",
            "sip.carrier.example:65536",
            "192.0.2.1",
            "192.0.2.300:5060",
            "2001:db8::1:5060",
            "sip..example:5060",
            "-sip.example:5060",
            "sip:carrier.example:5060",
            "sip carrier:5060",
            "电话.example:5060",
            &long,
        ] {
            assert!(wrong.parse::<HostPort>().is_err(), "{wrong}");
        }
    }
}
