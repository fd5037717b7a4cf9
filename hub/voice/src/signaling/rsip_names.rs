//! What comes in is made plain before the SIP library reads it: it takes an address from the first `<` of a header, wherever
//! that stands, and puts display names back together without their escapes.

use super::name_addr::{Malformed, NameAddr, elements};
use async_trait::async_trait;
use rsipstack::sip::headers::untyped;
use rsipstack::sip::{HasHeaders, Header, Headers};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transport::TransportEvent;

/// Looks at every message before anything else does.
pub(super) struct PlainNames;

#[async_trait]
impl TransportEventInspector for PlainNames {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        match event {
            TransportEvent::Incoming(mut message, connection, from) => match make_plain(message.headers_mut()) {
                Ok(()) => Some(TransportEvent::Incoming(message, connection, from)),
                Err(error) => {
                    tracing::debug!(%error, "a SIP message was dropped: its From or To is not readable");
                    None
                }
            },
            other => Some(other),
        }
    }
}

/// Display names that a reader could take for something else go; so do addresses that cannot be read, from lists, of which
/// each element gets a header of its own. What is harmless stays as it came. Without a From or To that can be read nothing
/// could be answered: an error.
fn make_plain(headers: &mut Headers) -> Result<(), Malformed> {
    let mut plain = Vec::with_capacity(headers.len());
    for header in std::mem::take(headers) {
        match header {
            Header::From(from) => plain.push(Header::From(untyped::From::new(element(from.value())?))),
            Header::To(to) => plain.push(Header::To(untyped::To::new(element(to.value())?))),
            // The library reads a list of them as one address.
            Header::Contact(contact) => {
                plain.extend(list(contact.value()).map(|value| Header::Contact(untyped::Contact::new(value))));
            }
            Header::RecordRoute(route) => {
                plain.extend(list(route.value()).map(|value| Header::RecordRoute(untyped::RecordRoute::new(value))));
            }
            Header::Route(route) => {
                plain.extend(list(route.value()).map(|value| Header::Route(untyped::Route::new(value))));
            }
            other => plain.push(other),
        }
    }
    *headers = plain.into();
    Ok(())
}

/// The elements of a list, each by itself.
fn list(value: &str) -> impl Iterator<Item = String> {
    let elements = elements(value).unwrap_or_default().into_iter();
    elements.filter_map(|value| element(value).ok())
}

/// One element, without its display name where that is more than a name.
fn element(value: &str) -> Result<String, Malformed> {
    let read = NameAddr::parse(value)?;
    let name = read.display.strip_prefix('"').unwrap_or(read.display);
    let name = name.strip_suffix('"').unwrap_or(name);
    let is_harmless = |text: &str| !text.contains(['<', '>', '"', '\\']);
    if is_harmless(name) && (read.bracketed || !read.params.contains('<')) {
        return Ok(value.to_owned());
    }
    Ok(format!("<{}>{}", read.uri, read.params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsipstack::sip::headers::untyped::ToTypedHeader;
    use rsipstack::sip::{HeadersExt, Request};

    /// An INVITE with these headers, made plain.
    fn request(lines: &str) -> Result<Request, Malformed> {
        let text = format!(
            "INVITE sip:hub@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n{}\r\nCall-ID: 1\r\n\
             CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
            lines.replace('\n', "\r\n")
        );
        let mut request = Request::try_from(text.as_str()).unwrap();
        make_plain(&mut request.headers)?;
        Ok(request)
    }

    #[test]
    fn what_is_harmless_stays_as_it_came() {
        let lines = "From: \"Na, Li\" <sip:+8613800008412@t>;tag=1\nTo: Hub <sip:hub@t;lr>\nContact: sip:a@10.0.0.2;q=1\n\
                     Record-Route: <sip:b@10.0.0.3;lr>";
        let request = request(lines).unwrap();
        for line in lines.lines() {
            assert!(request.to_string().contains(line), "{line}\n{request}");
        }
    }

    #[test]
    fn the_library_reads_no_address_from_a_display_name() {
        let request = request(
            "From: \"<sip:+8613900001234@x>;tag=9\" <sip:+8613800008412@t>;tag=1\n\
             To: \"a\\\" <sip:b@c>;tag=8\" <sip:hub@t>\n\
             Contact: \"<sip:evil@192.0.2.1>\" <sip:a@10.0.0.2>;q=1, <sip:second@10.0.0.9>\n\
             Record-Route: \"<sip:evil@192.0.2.1>, <sip:evil@192.0.2.2>\" <sip:r1@10.0.0.3;lr>, <sip:r2@10.0.0.4;lr>",
        )
        .unwrap();
        let from = request.from_header().unwrap();
        assert_eq!(from.typed().unwrap().uri.to_string(), "sip:+8613800008412@t");
        assert_eq!(from.tag().unwrap().unwrap().value(), "1");
        // A tag in a display name would make the library look for a call that is up.
        assert!(request.to_header().unwrap().tag().unwrap().is_none());
        let contact = request.contact_header().unwrap().typed().unwrap();
        assert_eq!(contact.uri.to_string(), "sip:a@10.0.0.2");
        let routes: Vec<_> = request
            .record_route_headers()
            .iter()
            .map(|route| route.value().to_owned())
            .collect();
        assert_eq!(routes, ["<sip:r1@10.0.0.3;lr>", "<sip:r2@10.0.0.4;lr>"]);
    }

    #[test]
    fn what_cannot_be_read_decides_nothing() {
        let named = "From: <sip:a@t>;tag=1\nTo: <sip:hub@t>";
        let contacts = request(&format!(
            "{named}\nContact: \"open <sip:evil@192.0.2.1>\nContact: <sip:b@10.0.0.2>"
        ))
        .unwrap();
        let contact = contacts.contact_header().unwrap().typed().unwrap();
        assert_eq!(contact.uri.to_string(), "sip:b@10.0.0.2");
        for from in ["\"open <sip:a@t>;tag=1", "<sip:a@t;tag=1", "<sip:a@t> <sip:b@t>;tag=1"] {
            assert!(request(&format!("From: {from}\nTo: <sip:hub@t>")).is_err(), "{from}");
        }
    }
}
