//! What the gate reads of a SIP message: enough to know which call it is of, and to refuse it without anybody's help. Lines
//! are cut as the SIP library cuts them, so that both read the same; knows no addresses of the network and no clock.

use crate::signaling::name_addr::NameAddr;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// After so long a request that was refused for want of room may come again, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// Requests that are bounded apart from each other, so that a flood of one kind stops no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A new call.
    Invite,
    /// A request inside a call: BYE, INFO, UPDATE, another INVITE.
    Inside,
    /// OPTIONS outside of a call: carriers look whether we live.
    Options,
    /// A new call is given up.
    Cancel,
    /// Anything else outside of a call; the answer says that we do not do that.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Invite, Kind::Inside, Kind::Options, Kind::Cancel, Kind::Other];
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A request that wants an answer.
    Request(Kind),
    /// An ACK, which has none.
    Ack,
    /// An answer with this status.
    Response(u16),
}

/// The refusals that the gate itself gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The address is no trunk's.
    Forbidden,
    /// Nobody knows the call.
    NoCall,
    /// Too many, or too fast.
    Busy,
}

impl Refusal {
    /// Status and phrase (RFC 3261 §21).
    fn status(self) -> &'static str {
        match self {
            Refusal::Forbidden => "403 Forbidden",
            Refusal::NoCall => "481 Call/Transaction Does Not Exist",
            Refusal::Busy => "503 Service Unavailable",
        }
    }
}

/// One header with its value, put together where it was folded.
struct Header<'a> {
    name: &'a str,
    value: Cow<'a, str>,
}

impl Header<'_> {
    fn is(&self, long: &str, short: &str) -> bool {
        self.name.eq_ignore_ascii_case(long) || self.name.eq_ignore_ascii_case(short)
    }
}

/// One message.
pub(super) struct Message<'a> {
    /// What it is.
    pub what: What,
    /// Its call, also outside of calls.
    pub call_id: String,
    /// Number and method: with the call, what a request and its answers have in common.
    pub cseq: String,
    /// The same for a request that is sent again, and another one for every other that the SIP library keeps apart from it.
    pub transaction: u64,
    headers: Vec<Header<'a>>,
}

impl<'a> Message<'a> {
    /// Reads a datagram. None for what has no readable start, From, To, Call-ID, CSeq or Via.
    pub fn read(datagram: &'a [u8]) -> Option<Self> {
        let end = datagram.windows(4).position(|four| four == b"\r\n\r\n")?;
        let mut lines = lines(datagram.get(..end)?);
        let start = lines.next()?;
        let headers = headers(lines);
        let first = |long, short| {
            let mut all = headers.iter();
            all.find(|header| header.is(long, short)).map(|header| &*header.value)
        };
        let (via, from) = (first("Via", "v")?, first("From", "f")?);
        NameAddr::parse(from).ok()?;
        let is_tagged = NameAddr::parse(first("To", "t")?).ok()?.param("tag").is_some();
        let call_id = first("Call-ID", "i").filter(|id| !id.is_empty())?.to_owned();
        let mut cseq = first("CSeq", "CSeq")?.split_whitespace();
        let (number, method) = (cseq.next()?.parse::<u32>().ok()?, cseq.next()?);
        let mut start = start.splitn(3, [' ', '\t']);
        let what = match start.next()? {
            version if version.starts_with("SIP/") => What::Response(start.next()?.parse().ok()?),
            // Another method here than there would be counted as one thing and taken for another.
            other if other != method => return None,
            "ACK" => What::Ack,
            "CANCEL" => What::Request(Kind::Cancel),
            _ if is_tagged => What::Request(Kind::Inside),
            "INVITE" => What::Request(Kind::Invite),
            "OPTIONS" => What::Request(Kind::Options),
            _ => What::Request(Kind::Other),
        };
        let cseq = format!("{number} {method}");
        let mut hasher = DefaultHasher::new();
        (via, from, &call_id, &cseq).hash(&mut hasher);
        let transaction = hasher.finish();
        Some(Self {
            what,
            call_id,
            cseq,
            transaction,
            headers,
        })
    }

    /// The refusal of a request, made of nothing but the request (RFC 3261 §8.2.7); none for what wants no answer.
    pub fn refused(&self, refusal: Refusal) -> Option<String> {
        let What::Request(_) = self.what else { return None };
        let mut text = format!("SIP/2.0 {}\r\n", refusal.status());
        for header in &self.headers {
            let value = &header.value;
            if header.is("Via", "v") {
                text.push_str(&format!("Via: {value}\r\n"));
            } else if header.is("From", "f") {
                text.push_str(&format!("From: {value}\r\n"));
            } else if header.is("To", "t") {
                let is_tagged = NameAddr::parse(value).is_ok_and(|to| to.param("tag").is_some());
                let tag = if is_tagged { String::new() } else { self.tag() };
                text.push_str(&format!("To: {value}{tag}\r\n"));
            }
        }
        text.push_str(&format!("Call-ID: {}\r\nCSeq: {}\r\n", self.call_id, self.cseq));
        if refusal == Refusal::Busy {
            text.push_str(&format!("Retry-After: {RETRY_AFTER_S}\r\n"));
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        Some(text)
    }

    /// Our tag: the same for the same request that comes again.
    fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (&self.call_id, &self.cseq).hash(&mut hasher);
        format!(";tag=g{:016x}", hasher.finish())
    }
}

/// The lines up to the first that is no text.
fn lines(head: &[u8]) -> impl Iterator<Item = &str> {
    let lines = head.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.map_while(|line| std::str::from_utf8(line).ok())
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Header<'a>> {
    let mut headers: Vec<Header<'a>> = Vec::new();
    // Whether a line that begins with a blank goes on with the last header.
    let mut open = false;
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            if let Some(last) = headers.last_mut().filter(|_| open) {
                let value = last.value.to_mut();
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        let header = line.split_once(':');
        open = header.is_some();
        headers.extend(header.map(|(name, value)| Header {
            name: name.trim(),
            value: Cow::Borrowed(value.trim()),
        }));
    }
    headers
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
