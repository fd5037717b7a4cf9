//! Requests that come in: those inside a dialog go to it, new calls are taken from the trunks only.

use super::identity::{CallerHeaders, Identity};
use super::name_addr;
use super::rsip::Own;
use super::rsip_challenge::Challenge;
use super::rsip_leg::{Control, run_inbound};
use super::{EVENTS_MAX, InboundLeg, Leg};
use crate::whereabouts::Whereabouts;
use hub_core::lines::WINDOW;
use hub_core::phone_number::PhoneNumber;
use rsipstack::dialog::dialog::Dialog;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::{Header, HeadersExt, Host, Method, Request, StatusCode, Uri};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Requests that are worked on at the same time; what is beyond is dropped, and the peer sends it again.
const REQUESTS_MAX: usize = 256;

/// How often a call is looked for, and the pause between: 400 ms in all, less than the peer waits before it repeats.
const LOOKS: u32 = 8;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What is needed to take requests.
pub(super) struct Incoming {
    pub layer: Arc<DialogLayer>,
    pub own: Own,
    pub peers: Vec<Arc<Whereabouts>>,
    pub challenge: Option<Arc<Challenge>>,
    pub inbound: mpsc::Sender<InboundLeg>,
    pub legs: TaskTracker,
    pub stop: CancellationToken,
}

/// Takes requests until the stack stops.
pub(super) async fn serve_incoming(incoming: Incoming, mut transactions: TransactionReceiver) {
    let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
    // One line at once, then one a window with the sum, as long as it grows.
    let (mut dropped, mut said, mut next) = (0u64, 0u64, Instant::now());
    loop {
        let transaction = tokio::select! {
            Some(transaction) = transactions.recv() => transaction,
            () = sleep_until(next), if dropped > said => {
                tracing::warn!(dropped, "SIP requests are dropped: {REQUESTS_MAX} are being worked on");
                (said, next) = (dropped, Instant::now() + WINDOW);
                continue;
            }
            () = incoming.stop.cancelled() => return,
            else => return,
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            dropped += 1;
            continue;
        };
        let task = incoming.task(transaction);
        tokio::spawn(async move {
            task.await;
            drop(permit);
        });
    }
}

impl Incoming {
    /// What has to be done about one request.
    fn task(&self, mut transaction: Transaction) -> futures::future::BoxFuture<'static, ()> {
        let is_new = transaction
            .original
            .to_header()
            .is_ok_and(|to| to.tag().is_ok_and(|tag| tag.is_none()));
        if !is_new && transaction.original.method != Method::Ack {
            return Box::pin(handle_inside(Arc::clone(&self.layer), transaction));
        }
        let known = source(&transaction.original).is_some_and(|ip| self.peers.iter().any(|peer| peer.include(ip)));
        let unmet = self.challenge.as_ref().filter(|c| !c.is_met(&transaction.original));
        let status = match transaction.original.method {
            Method::Ack => return Box::pin(std::future::ready(())),
            _ if !known => StatusCode::Forbidden,
            Method::Invite if let Some(challenge) = unmet => {
                let headers = vec![challenge.header()];
                return Box::pin(refuse(transaction, StatusCode::ProxyAuthenticationRequired, headers));
            }
            Method::Invite => match self.take(&transaction) {
                Ok(mut dialog) => {
                    return Box::pin(async move {
                        if let Err(error) = dialog.handle(&mut transaction).await {
                            tracing::debug!(%error, "an incoming call failed");
                        }
                    });
                }
                Err(status) => status,
            },
            Method::Options => StatusCode::OK,
            Method::Bye | Method::Update | Method::Info | Method::Refer | Method::Notify => {
                StatusCode::CallTransactionDoesNotExist
            }
            _ => StatusCode::MethodNotAllowed,
        };
        Box::pin(refuse(transaction, status, vec![]))
    }

    /// Makes a leg of a new call and hands it on.
    fn take(&self, transaction: &Transaction) -> Result<rsipstack::dialog::invite_dialog::InviteDialog, StatusCode> {
        let slot = self.inbound.try_reserve().map_err(|_| StatusCode::BusyHere)?;
        let (state_sender, states) = self.layer.new_dialog_state_channel();
        let request = &transaction.original;
        let called = called(&request.uri);
        let user = request.uri.user().unwrap_or("hub").to_owned();
        let contact = Uri::try_from(format!("sip:{user}@{}", self.own.local())).map_err(|_| StatusCode::BadRequest)?;
        let dialog = self
            .layer
            .get_or_create_server_invite(transaction, state_sender, None, Some(contact))
            .map_err(|_| StatusCode::BadRequest)?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let ended = CancellationToken::new();
        self.legs.spawn(run_inbound(
            Arc::clone(&self.layer),
            dialog.clone(),
            states,
            sender,
            ended.clone(),
        ));
        let peer = source(request).ok_or(StatusCode::BadRequest)?;
        let control = Box::new(Control {
            dialog: dialog.clone(),
            _ended: ended.drop_guard(),
        });
        let leg = Leg { events, control, peer };
        slot.send(InboundLeg {
            leg,
            caller: caller(request),
            called,
            offer: request.body.clone(),
        });
        Ok(dialog)
    }
}

/// A request inside a call. The library puts an answered call under its final name a moment after the answer was
/// acknowledged, so a request that comes at once is looked for again before it is refused.
async fn handle_inside(layer: Arc<DialogLayer>, mut transaction: Transaction) {
    for _ in 0..LOOKS {
        if let Some(Dialog::Invite(mut dialog)) = layer.match_dialog(&transaction) {
            if let Err(error) = dialog.handle(&mut transaction).await {
                tracing::debug!(%error, "a request inside a call failed");
            }
            return;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    refuse(transaction, StatusCode::CallTransactionDoesNotExist, vec![]).await;
}

async fn refuse(mut transaction: Transaction, status: StatusCode, headers: Vec<Header>) {
    if let Err(error) = transaction.reply_with(status, headers, None).await {
        tracing::debug!(%error, "a SIP request could not be answered");
    }
}

/// The address a request really came from: the library overwrites `received` in its top Via (RFC 3261 §18.2.1).
fn source(request: &Request) -> Option<IpAddr> {
    let (_, target) = SipConnection::parse_target_from_via(request.via_header().ok()?).ok()?;
    match target.host {
        Host::IpAddr(ip) => Some(ip),
        Host::Domain(_) => None,
    }
}

/// Who calls.
fn caller(request: &Request) -> Identity {
    let mut headers = CallerHeaders::default();
    for header in request.headers.iter() {
        match header {
            Header::From(from) if headers.from.is_none() => headers.from = Some(from.value()),
            Header::PAssertedIdentity(identity) => headers.asserted.push(identity.value()),
            Header::PPreferredIdentity(identity) => headers.preferred.push(identity.value()),
            Header::Other(name, value) if name.eq_ignore_ascii_case("Remote-Party-ID") => {
                headers.remote_party.push(value);
            }
            _ => {}
        }
    }
    Identity::of(&headers)
}

/// Which number was called.
fn called(uri: &Uri) -> Option<PhoneNumber> {
    match &uri.auth {
        Some(auth) => name_addr::subscriber_number(&auth.user),
        // `tel:`, and a user with parameters, which the library takes for a host; as text it is what came.
        None => name_addr::number(&uri.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_called_number_is_read_by_the_same_grammar() {
        for (uri, number) in [
            ("sip:+862155500100@10.0.0.1:5060", Some("+862155500100")),
            ("sip:%2B862155500100@10.0.0.1", Some("+862155500100")),
            ("sip:+86-21-5550-0100@10.0.0.1;user=phone", Some("+862155500100")),
            (
                "sip:+862155500100;cpc=ordinary@10.0.0.1:5060;transport=udp",
                Some("+862155500100"),
            ),
            ("tel:+862155500100", Some("+862155500100")),
            ("tel:+86-21-5550-0100;phone-context=x", Some("+862155500100")),
            ("sip:862155500100@10.0.0.1", None),
            ("sip:+862155500100", None),
            ("sip:10.0.0.1", None),
        ] {
            let read = called(&Uri::try_from(uri).unwrap());
            assert_eq!(read, number.map(|text| PhoneNumber::new(text).unwrap()), "{uri}");
        }
    }

    #[test]
    fn who_calls_is_in_the_headers_of_the_request() {
        let request = |lines: &str| {
            let text = format!("INVITE sip:hub@10.0.0.1 SIP/2.0\r\n{lines}\r\nContent-Length: 0\r\n\r\n");
            caller(&Request::try_from(text.as_str()).unwrap())
        };
        let number = |text| Some(PhoneNumber::new(text).unwrap());
        let from = "f: \"sip:+8613900001234@x\" <sip:+8613800008412@t>;tag=1";
        assert_eq!(request(from), Identity::Stated(number("+8613800008412")));
        for asserts in [
            "P-Asserted-Identity: <sip:x@t>, <tel:+8613800005678>",
            "p-asserted-identity: <sip:x@t>\r\nP-Asserted-Identity: <tel:+8613800005678>",
            "remote-party-id: <sip:+8613800005678@t>;screen=yes",
        ] {
            let both = request(&format!("{from}\r\n{asserts}"));
            assert_eq!(both, Identity::Asserted(number("+8613800005678")), "{asserts}");
        }
        let prefers = request("From: <sip:anonymous@t>\r\nP-Preferred-Identity: <sip:+8613800005678@t>");
        assert_eq!(prefers, Identity::Stated(number("+8613800005678")));
    }
}
