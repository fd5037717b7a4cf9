//! Requests that the gate has let through, so that come from a trunk: those inside a dialog go to it, the others are new calls or
//! answered at once.

use super::called::Called;
use super::gate::Gate;
use super::identity::CallerHeaders;
use super::name_addr::NameAddr;
use super::next_hop::NextHop;
use super::rsip_challenge::Challenge;
use super::rsip_hop::Legs;
use super::rsip_leg::{Control, run_inbound};
use super::rsip_own::Own;
use super::{EVENTS_MAX, InboundLeg, Leg, rsip_extensions, rsip_session};
use hub_core::lines::WINDOW;
use rsipstack::dialog::dialog::Dialog;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::{Header, HeadersExt, Method, Request, StatusCode, Uri};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::{SipAddr, SipConnection};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// New calls that are worked on at the same time, until they are acknowledged: 32 s each where nobody does. The gate lets
/// through fewer.
const INVITES_MAX: usize = 4_096;
/// Other requests that are worked on at the same time. The gate lets through fewer of all kinds together, so that none takes
/// another's place. What is beyond either is dropped, and the peer sends it again.
const REQUESTS_MAX: usize = 1_024;

/// How often a call is looked for, and the pause between: 400 ms in all, less than the peer waits before it repeats.
const LOOKS: u32 = 8;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What is needed to take requests.
pub(super) struct Incoming {
    pub layer: Arc<DialogLayer>,
    pub hops: Arc<Legs>,
    pub own: Own,
    pub gate: Arc<Gate>,
    pub challenge: Option<Arc<Challenge>>,
    pub inbound: mpsc::Sender<InboundLeg>,
    pub legs: TaskTracker,
    pub stop: CancellationToken,
}

/// Takes requests until the stack stops.
pub(super) async fn serve_incoming(incoming: Incoming, mut transactions: TransactionReceiver) {
    let invites = Arc::new(Semaphore::new(INVITES_MAX));
    let requests = Arc::new(Semaphore::new(REQUESTS_MAX));
    // One line at once, then one a window with the sum, as long as it grows.
    let (mut dropped, mut said, mut next) = (0u64, 0u64, Instant::now());
    loop {
        let transaction = tokio::select! {
            Some(transaction) = transactions.recv() => transaction,
            () = sleep_until(next), if dropped > said => {
                tracing::warn!(dropped, "SIP requests are dropped: as many as may be are being worked on");
                (said, next) = (dropped, Instant::now() + WINDOW);
                continue;
            }
            () = incoming.stop.cancelled() => return,
            else => return,
        };
        let is_invite = transaction.original.method == Method::Invite && is_new(&transaction.original);
        let permits = if is_invite { &invites } else { &requests };
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
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

/// Whether a request is outside of every call.
fn is_new(request: &Request) -> bool {
    let to = request.to_header();
    to.is_ok_and(|to| to.tag().is_ok_and(|tag| tag.is_none()))
}

impl Incoming {
    /// What has to be done about one request.
    fn task(&self, mut transaction: Transaction) -> futures::future::BoxFuture<'static, ()> {
        if !is_new(&transaction.original) && transaction.original.method != Method::Ack {
            return Box::pin(handle_inside(Arc::clone(&self.layer), transaction));
        }
        if let Some(unsupported) = rsip_extensions::unsupported(&transaction.original) {
            return Box::pin(refuse(transaction, StatusCode::BadExtension, vec![unsupported]));
        }
        let is_invite = transaction.original.method == Method::Invite;
        if is_invite && let Some(least) = rsip_session::too_small(&transaction.original) {
            return Box::pin(refuse(transaction, StatusCode::SessionIntervalTooSmall, vec![least]));
        }
        let unmet = self.challenge.as_ref().filter(|c| !c.is_met(&transaction.original));
        let status = match transaction.original.method {
            Method::Ack => return Box::pin(std::future::ready(())),
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
            Method::Options => return Box::pin(refuse(transaction, StatusCode::OK, rsip_extensions::ours())),
            Method::Bye | Method::Update | Method::Info | Method::Refer | Method::Notify => {
                StatusCode::CallTransactionDoesNotExist
            }
            _ => {
                let headers = vec![rsip_extensions::allow()];
                return Box::pin(refuse(transaction, StatusCode::MethodNotAllowed, headers));
            }
        };
        Box::pin(refuse(transaction, status, vec![]))
    }

    /// Makes a leg of a new call and hands it on.
    fn take(&self, transaction: &Transaction) -> Result<rsipstack::dialog::invite_dialog::InviteDialog, StatusCode> {
        let slot = self.inbound.try_reserve().map_err(|_| StatusCode::BusyHere)?;
        let (state_sender, states) = self.layer.new_dialog_state_channel();
        let request = &transaction.original;
        let from = source(request).ok_or(StatusCode::BadRequest)?;
        let peer = from.ip().to_canonical();
        let call_id = request.call_id_header().map_err(|_| StatusCode::BadRequest)?;
        let call_id = call_id.value().to_owned();
        let called = called(request);
        let user = request.uri.user().unwrap_or("hub").to_owned();
        let contact = Uri::try_from(format!("sip:{user}@{}", self.own.local())).map_err(|_| StatusCode::BadRequest)?;
        let dialog = self
            .layer
            .get_or_create_server_invite(transaction, state_sender, None, Some(contact))
            .map_err(|_| StatusCode::BadRequest)?;
        let pass = self.gate.hold(call_id, peer);
        let hop = NextHop::new(from, pass.carrier());
        let route = self.hops.add(dialog.id().local_tag, hop, None);
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let ended = CancellationToken::new();
        let runs = run_inbound(
            Arc::clone(&self.layer),
            dialog.clone(),
            states,
            sender,
            ended.clone(),
            route,
        );
        self.legs.spawn(async move {
            runs.await;
            drop(pass);
        });
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
            if let Some(unsupported) = rsip_extensions::unsupported(&transaction.original) {
                refuse(transaction, StatusCode::BadExtension, vec![unsupported]).await;
                return;
            }
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

/// Where a request really came from: the library overwrites `received` and `rport` in its top Via (RFC 3261 §18.2.1,
/// RFC 3581).
fn source(request: &Request) -> Option<SocketAddr> {
    let (_, target) = SipConnection::parse_target_from_via(request.via_header().ok()?).ok()?;
    SipAddr::from(target).get_socketaddr().ok()
}

/// What says who calls.
fn caller(request: &Request) -> CallerHeaders {
    let mut headers = CallerHeaders::default();
    for header in request.headers.iter() {
        match header {
            Header::From(from) if headers.from.is_none() => headers.from = Some(from.value().to_owned()),
            Header::PAssertedIdentity(identity) => headers.asserted.push(identity.value().to_owned()),
            Header::PPreferredIdentity(identity) => headers.preferred.push(identity.value().to_owned()),
            Header::Other(name, value) if name.eq_ignore_ascii_case("Remote-Party-ID") => {
                headers.remote_party.push(value.to_owned());
            }
            _ => {}
        }
    }
    headers
}

/// Which number was called: the Request-URI's; To's where that holds none, as of trunks that address the hub by a name.
fn called(request: &Request) -> Option<Called> {
    let of_uri = match &request.uri.auth {
        Some(auth) => Called::of_user(&auth.user),
        // `tel:`, and a user with parameters, which the library takes for a host; as text it is what came.
        None => Called::read(&request.uri.to_string()),
    };
    of_uri.or_else(|| Called::read(NameAddr::parse(request.to_header().ok()?.value()).ok()?.uri))
}

#[cfg(test)]
mod tests {
    use super::super::identity::Identity;
    use super::*;
    use hub_core::phone_number::PhoneNumber;

    #[test]
    fn the_called_number_is_read_by_the_same_grammar() {
        let global = Some("+862155500100");
        for (uri, to, number) in [
            ("sip:+862155500100@10.0.0.1:5060", "<sip:hub@t>", global),
            ("sip:%2B862155500100@10.0.0.1", "<sip:hub@t>", global),
            ("sip:+86-21-5550-0100@10.0.0.1;user=phone", "<sip:hub@t>", global),
            (
                "sip:+862155500100;cpc=ordinary@10.0.0.1:5060;transport=udp",
                "<sip:hub@t>",
                global,
            ),
            ("tel:+862155500100", "<sip:hub@t>", global),
            ("tel:+86-21-5550-0100;phone-context=x", "<sip:hub@t>", global),
            // What is written without a country code is still not what To says.
            ("sip:862155500100@10.0.0.1", "<sip:+862155500100@t>", None),
            ("sip:hub@10.0.0.1", "\"<sip:+1@x>\" <sip:+862155500100@t>", global),
            ("sip:10.0.0.1", "<tel:+862155500100>", global),
            ("sip:+862155500100", "<sip:hub@t>", None),
            ("sip:10.0.0.1", "<sip:hub@t>", None),
        ] {
            let text = format!("INVITE {uri} SIP/2.0\r\nTo: {to}\r\nContent-Length: 0\r\n\r\n");
            let called = called(&Request::try_from(text.as_str()).unwrap());
            let read = called.as_ref().and_then(Called::global);
            assert_eq!(read, number.map(|text| PhoneNumber::new(text).unwrap()), "{uri} {to}");
        }
        // Of these the library's own reading has no user.
        for uri in [
            "sip:02155500100;cpc=ordinary@10.0.0.1",
            "tel:02155500100;phone-context=+86",
        ] {
            let text = format!("INVITE {uri} SIP/2.0\r\nTo: <sip:hub@t>\r\nContent-Length: 0\r\n\r\n");
            let called = called(&Request::try_from(text.as_str()).unwrap());
            assert!(called == Called::of_user("02155500100"), "{uri}");
        }
    }

    #[test]
    fn who_calls_is_in_the_headers_of_the_request() {
        let request = |lines: &str| {
            let text = format!("INVITE sip:hub@10.0.0.1 SIP/2.0\r\n{lines}\r\nContent-Length: 0\r\n\r\n");
            Identity::of(&caller(&Request::try_from(text.as_str()).unwrap()), None)
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
