//! Where a leg's requests go: which decision each leg makes for itself. No map of domains for the whole hub: two companies may
//! share a domain and not the carrier's servers. Knows neither the SIP library nor sockets, and asks no name server.

use std::net::{IpAddr, SocketAddr};

/// The port of SIP over UDP where an address names none (RFC 3261 §19.1.2).
const PORT: u16 = 5060;

/// What a request names as its next address: its first Route, else its Request-URI (RFC 3261 §8.1.2, §12.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A host name. Where its server stands is known by the leg only: it is not looked up.
    Name,
    /// An address, with a port if one stands there.
    Address(IpAddr, Option<u16>),
}

/// Where one leg's requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// Where the leg's INVITE went, or whence it came.
    invite: SocketAddr,
    /// The carrier's other addresses.
    further: Vec<IpAddr>,
}

impl NextHop {
    /// Of a leg whose INVITE went to `invite` or came from there; `further` are the other addresses of that carrier.
    pub fn new(invite: SocketAddr, further: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            invite,
            further: further.into_iter().collect(),
        }
    }

    /// Where the leg's INVITE went, or whence it came: there INVITE, CANCEL and the ACK of a refusal go.
    pub fn invite(&self) -> SocketAddr {
        self.invite
    }

    /// Where a request inside the leg's dialog goes: where its INVITE went, unless it names another address of that carrier.
    /// One that is not the carrier's would take the call elsewhere, or stands behind the carrier's own translation of
    /// addresses.
    pub fn of(&self, named: Named) -> SocketAddr {
        let is = |known: IpAddr, ip: IpAddr| known.to_canonical() == ip.to_canonical();
        match named {
            Named::Name | Named::Address(_, Some(0)) => self.invite,
            // Without a port, the same host names nothing else.
            Named::Address(ip, port) if is(self.invite.ip(), ip) => {
                SocketAddr::new(self.invite.ip(), port.unwrap_or(self.invite.port()))
            }
            // One of the other kind (IPv4, IPv6) cannot be reached from the socket that the INVITE passed through.
            Named::Address(ip, port)
                if ip.is_ipv4() == self.invite.is_ipv4() && self.further.iter().any(|known| is(*known, ip)) =>
            {
                SocketAddr::new(ip, port.unwrap_or(PORT))
            }
            Named::Address(..) => self.invite,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// What an address without user names.
    fn named(text: &str) -> Named {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Named::Address(address.ip(), Some(address.port()));
        }
        text.parse().map_or(Named::Name, |ip| Named::Address(ip, None))
    }

    #[test]
    fn requests_follow_the_invite_unless_they_name_another_address_of_the_carrier() {
        let hop = NextHop::new(address("198.51.100.1:5080"), ["198.51.100.2".parse().unwrap()]);
        for (text, to) in [
            // Names are the carrier's own business.
            ("sbc1.carrier.example", "198.51.100.1:5080"),
            ("edge.carrier.example:5070", "198.51.100.1:5080"),
            ("trunk.test", "198.51.100.1:5080"),
            ("localhost", "198.51.100.1:5080"),
            ("198.51.100.1.example", "198.51.100.1:5080"),
            // The same host.
            ("198.51.100.1", "198.51.100.1:5080"),
            ("198.51.100.1:5080", "198.51.100.1:5080"),
            ("198.51.100.1:5060", "198.51.100.1:5060"),
            ("198.51.100.1:40000", "198.51.100.1:40000"),
            ("[::ffff:198.51.100.1]:5062", "198.51.100.1:5062"),
            // Another one of the carrier's.
            ("198.51.100.2", "198.51.100.2:5060"),
            ("198.51.100.2:5090", "198.51.100.2:5090"),
            // Not the carrier's, or no address.
            ("198.51.100.3", "198.51.100.1:5080"),
            ("198.51.100.3:5060", "198.51.100.1:5080"),
            ("10.0.0.7:5060", "198.51.100.1:5080"),
            ("127.0.0.1:5060", "198.51.100.1:5080"),
            ("0.0.0.0", "198.51.100.1:5080"),
            ("255.255.255.255:5060", "198.51.100.1:5080"),
            ("[2001:db8::1]:5060", "198.51.100.1:5080"),
            ("198.51.100.1:0", "198.51.100.1:5080"),
            ("198.51.100.2:0", "198.51.100.1:5080"),
        ] {
            assert_eq!(hop.of(named(text)), address(to), "{text}");
        }
        assert_eq!(hop.invite(), address("198.51.100.1:5080"));
    }

    #[test]
    fn two_carriers_on_one_domain_never_cross() {
        let acme = NextHop::new(address("198.51.100.1:5060"), []);
        let beta = NextHop::new(address("203.0.113.1:5060"), []);
        for text in [
            "trunk.test",
            "198.51.100.1:5060",
            "203.0.113.1:5060",
            "203.0.113.1",
            "198.51.100.1",
        ] {
            assert_eq!(acme.of(named(text)).ip(), acme.invite().ip(), "{text}");
            assert_eq!(beta.of(named(text)).ip(), beta.invite().ip(), "{text}");
        }
    }

    #[test]
    fn addresses_of_ipv6_are_addresses_too() {
        let further = ["2001:db8::9", "198.51.100.9"].map(|text| text.parse().unwrap());
        let hop = NextHop::new(address("[2001:db8::1]:5080"), further);
        for (text, to) in [
            ("[2001:db8::9]:5060", "[2001:db8::9]:5060"),
            // The carrier's, and not to be reached from here.
            ("198.51.100.9:5060", "[2001:db8::1]:5080"),
            ("2001:db8::1", "[2001:db8::1]:5080"),
            ("[2001:db8::1]:5060", "[2001:db8::1]:5060"),
            ("[2001:db8::2]:5060", "[2001:db8::1]:5080"),
            ("198.51.100.1:5060", "[2001:db8::1]:5080"),
        ] {
            assert_eq!(hop.of(named(text)), address(to), "{text}");
        }
    }
}
