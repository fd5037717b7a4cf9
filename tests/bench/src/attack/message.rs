//! What is read of a SIP message: its headers, and what its session description says of audio (RFC 3261, 4566).

use std::net::{IpAddr, SocketAddr};

/// Codecs that are taken: G.711, by payload type, with the byte that is silence in each.
const CODECS: [(u8, u8); 2] = [(8, 0xD5), (0, 0xFF)];

/// Where the offer wants audio, and the first of our codecs that it has.
pub(crate) fn media(invite: &str) -> Option<(SocketAddr, (u8, u8))> {
    let (_, sdp) = invite.split_once("\r\n\r\n")?;
    let line = |prefix: &str| sdp.lines().find_map(|line| line.strip_prefix(prefix));
    let ip: IpAddr = line("c=IN IP4 ")?.trim().parse().ok()?;
    let mut words = line("m=audio ")?.split_whitespace();
    let port: u16 = words.next()?.parse().ok()?;
    let codec = words
        .skip(1)
        .filter_map(|offered| offered.parse::<u8>().ok())
        .find_map(|offered| CODECS.into_iter().find(|(payload_type, _)| *payload_type == offered))?;
    Some((SocketAddr::new(ip, port), codec))
}

/// The value of a header, by its long or its short name.
pub(crate) fn header<'a>(message: &'a str, long: &str, short: &str) -> Option<&'a str> {
    let headers = message.lines().skip(1).take_while(|line| !line.is_empty());
    headers
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| {
            let name = name.trim();
            name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short)
        })
        .map(|(_, value)| value.trim())
}

/// The address in a Contact.
pub(crate) fn address_of(contact: &str) -> String {
    let inner = contact.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let plain = contact.split(';').next().unwrap_or(contact);
    inner.map_or(plain, |(address, _)| address).to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    pub(in super::super) const INVITE: &str = "INVITE sip:+8613800000007@trunk.test SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\nFrom: <sip:+862155500100@trunk.test>;tag=a\r\n\
         To: <sip:+8613800000007@trunk.test>\r\ni: c1\r\nCSeq: 1 INVITE\r\nContact: <sip:hub@127.0.0.1:5062>;x\r\n\
         Content-Length: 99\r\n\r\nv=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 0 8 101\r\n";

    #[test]
    fn an_offer_is_read() {
        assert_eq!(
            media(INVITE),
            Some((SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)), (0, 0xFF)))
        );
        assert_eq!(header(INVITE, "call-id", "i"), Some("c1"));
        assert_eq!(
            header(INVITE, "contact", "m").map(address_of).as_deref(),
            Some("sip:hub@127.0.0.1:5062")
        );
    }
}
