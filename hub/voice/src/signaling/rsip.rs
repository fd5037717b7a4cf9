//! `CallStack` on rsipstack over UDP.

pub use super::digest::Digest;
use super::gate::{Gate, GatedSocket, PulseTaker};
use super::next_hop::NextHop;
use super::rsip_answers::{Answers, OurDigest};
use super::rsip_challenge::Challenge;
use super::rsip_hop::{HopSocket, Legs, NOWHERE, NoNames};
use super::rsip_inbound::{Incoming, serve_incoming};
use super::rsip_leg::{OutboundLeg, run_outbound};
use super::rsip_names::PlainNames;
use super::rsip_own::Own;
use super::{CallStack, EVENTS_MAX, InboundLeg, Leg, PlaceCall, PlaceError, rsip_extensions, sip_thread};
use crate::config::{Secret, TrunkConfig};
use crate::whereabouts::Whereabouts;
use async_trait::async_trait;
use hub_core::metric::Metric;
use rsipstack::EndpointBuilder;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::sip::{Transport, Uri};
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::{CallIdFormat, make_call_id};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, TransportLayer};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Calls that come in and wait to be looked at.
const INBOUND_MAX: usize = 32;
/// At the end, BYEs on their way are waited for this long.
const DRAIN: Duration = Duration::from_secs(3);

/// Why the SIP side did not start.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The address is taken or not ours.
    #[error("SIP cannot listen on {address} over UDP; is another program using the port?")]
    Bind {
        /// The address that was tried.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket cannot be read from a thread of its own.
    #[error("the SIP side's thread did not start")]
    Thread(#[source] std::io::Error),
    /// No nonce could be made.
    #[error("the system gives no random numbers")]
    Random(#[source] rand::rand_core::OsError),
    /// The library refused.
    #[error("the SIP library did not start: {0}")]
    Library(String),
}

/// Another SIP server that calls are exchanged with.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where requests go to it, and whence they come (any port).
    pub place: Arc<Whereabouts>,
    /// Further hosts that it sends from (any port).
    pub others: Vec<Arc<Whereabouts>>,
}

impl Peer {
    /// All its hosts.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Arc<Whereabouts>> {
        self.others.iter().chain([&self.place])
    }

    /// Whether it sends from this address.
    pub(crate) fn stands_at(&self, address: IpAddr) -> bool {
        self.hosts().any(|host| host.include(address))
    }

    /// All addresses that it sends from, as far as they are known now.
    fn addresses(&self) -> Vec<IpAddr> {
        let mut all = Vec::new();
        for host in self.hosts() {
            all.extend(host.addresses().iter().map(SocketAddr::ip));
        }
        all
    }
}

fn over_udp(address: SocketAddr) -> SipAddr {
    SipAddr {
        r#type: Some(Transport::Udp),
        ..SipAddr::from(address)
    }
}

/// The SIP stack: one UDP socket behind its gate, all calls.
pub struct RsipStack {
    gate: Arc<Gate>,
    layer: Arc<DialogLayer>,
    answers: Arc<Answers>,
    pub(super) hops: Arc<Legs>,
    own: Own,
    peers: Arc<RwLock<Vec<Peer>>>,
    inbound: Mutex<mpsc::Receiver<InboundLeg>>,
    stop: CancellationToken,
    legs: TaskTracker,
}

impl RsipStack {
    /// Listens on `bind`; calls, and anything else, are taken from `peers` only. `advertise` stands for `bind`'s address in
    /// what we write; only Via, which is answered to where a request came from, keeps what it is at the start.
    pub async fn start(
        bind: SocketAddr,
        advertise: Option<Arc<Whereabouts>>,
        peers: &[Peer],
    ) -> Result<Self, StackError> {
        Self::start_with(bind, advertise, peers, None).await
    }

    /// The same as a carrier's side of a trunk: with `demanded`, a call that does not prove it is answered 407 (MD5, qop=auth).
    pub async fn start_with(
        bind: SocketAddr,
        advertise: Option<Arc<Whereabouts>>,
        peers: &[Peer],
        demanded: Option<Digest>,
    ) -> Result<Self, StackError> {
        let library = |error: rsipstack::Error| StackError::Library(error.to_string());
        let failed = |source| StackError::Bind { address: bind, source };
        let socket = std::net::UdpSocket::bind(bind).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        let own = Own { bound, advertise };
        let local = own.local();
        let stop = CancellationToken::new();
        // Ends the thread if something below fails.
        let stopping = stop.clone().drop_guard();
        let thread = sip_thread::start(stop.clone()).map_err(StackError::Thread)?;
        let socket = {
            let _registers_there = thread.enter();
            UdpSocket::from_std(socket).map_err(failed)?
        };
        let peers = Arc::new(RwLock::new(peers.to_vec()));
        let trunks = Arc::clone(&peers);
        let trunks = move || -> Vec<Vec<IpAddr>> {
            let trunks = trunks.read().unwrap_or_else(PoisonError::into_inner);
            trunks.iter().map(Peer::addresses).collect()
        };
        let gate = Gate::new(Box::new(trunks), Instant::now().into_std());
        let socket = GatedSocket {
            socket,
            gate: Arc::clone(&gate),
        };
        let mut transport = TransportLayer::new_with_domain_resolver(stop.clone(), Box::new(NoNames));
        // Whatever a request names: where it really goes, `HopSocket` knows.
        transport.outbound = Some(over_udp(NOWHERE));
        let external = own.advertise.is_some().then_some(local);
        let hops = Arc::new(Legs::default());
        let socket = HopSocket {
            socket: Arc::new(socket),
            legs: Arc::clone(&hops),
        };
        let udp = UdpConnection::from_socket(Arc::new(socket), external, Some(stop.clone()))
            .await
            .map_err(library)?;
        transport.add_transport(udp.into());
        let answers = Arc::new(Answers::default());
        let endpoint = EndpointBuilder::new()
            .with_user_agent(concat!("Forecall/", env!("CARGO_PKG_VERSION")))
            .with_transport_layer(transport)
            .with_cancel_token(stop.clone())
            .with_transport_inspector(Box::new(PulseTaker {
                gate: Arc::clone(&gate),
                next: PlainNames,
            }))
            .with_inspector(Box::new(OurDigest(Arc::clone(&answers))))
            .with_allows(rsip_extensions::METHODS.to_vec())
            // The library's own default suffix names its maker.
            .with_option(EndpointOption {
                callid_suffix: Some(local.ip().to_string()),
                ..Default::default()
            })
            .build();
        let layer = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        let transactions = endpoint.incoming_transactions().map_err(library)?;
        let (sender, inbound) = mpsc::channel(INBOUND_MAX);
        let legs = TaskTracker::new();
        let challenge = demanded.map(|digest| Challenge::new(digest, &local.ip().to_string()));
        let incoming = Incoming {
            challenge: challenge.transpose().map_err(StackError::Random)?.map(Arc::new),
            layer: Arc::clone(&layer),
            hops: Arc::clone(&hops),
            own: own.clone(),
            gate: Arc::clone(&gate),
            inbound: sender,
            legs: legs.clone(),
            stop: stop.clone(),
        };
        thread.spawn(async move { endpoint.serve().await });
        tokio::spawn(serve_incoming(incoming, transactions));
        Ok(Self {
            gate,
            layer,
            answers,
            hops,
            own,
            peers,
            inbound: Mutex::new(inbound),
            stop: stopping.disarm(),
            legs,
        })
    }

    fn invite(&self, call: &PlaceCall, call_id: String) -> Result<InviteOption, PlaceError> {
        let TrunkConfig {
            domain, caller_number, ..
        } = &call.trunk;
        let at_trunk = |number| format!("sip:{}@{domain}", call.trunk.written(number));
        let uri = |text: String| {
            Uri::try_from(text).map_err(|_| PlaceError("the trunk's domain makes no SIP address".into()))
        };
        // Makes the library send a challenged request again; what it then says for us is in `rsip_answers`.
        let credential = call.trunk.username.as_ref().map(|username| Credential {
            username: username.clone(),
            ..Default::default()
        });
        Ok(InviteOption {
            caller: uri(at_trunk(caller_number))?,
            callee: uri(at_trunk(&call.to))?,
            contact: uri(format!("sip:{}@{}", caller_number.reveal(), self.own.local()))?,
            destination: Some(over_udp(call.proxy)),
            credential,
            call_id: Some(call_id),
            offer: Some(call.offer.clone()),
            headers: Some(rsip_extensions::ours()),
            // Its PRACK goes astray behind a record-routing proxy.
            support_prack: false,
            ..Default::default()
        })
    }
}

/// What a trunk asks for; without a password its user name alone.
fn digest_of(trunk: &TrunkConfig) -> Option<Digest> {
    let password = trunk.password.clone().unwrap_or_else(|| Secret::new(""));
    let user = trunk.username.clone()?;
    Some(Digest { user, password })
}

#[async_trait]
impl CallStack for RsipStack {
    async fn place(&self, call: PlaceCall) -> Result<Leg, PlaceError> {
        let call_id = make_call_id(Some(&self.own.local().ip().to_string()), CallIdFormat::default()).0;
        let invite = self.invite(&call, call_id.clone())?;
        let pass = self.gate.hold(call_id.clone(), call.proxy.ip());
        let hop = NextHop::new(call.proxy, pass.carrier());
        let route = self.hops.add(call_id.clone(), hop, Some(invite.callee.to_string()));
        let answers = self.answers.of_call(call_id, digest_of(&call.trunk));
        let (state_sender, states) = self.layer.new_dialog_state_channel();
        let (dialog, outcome) = self
            .layer
            .do_invite_async(invite, state_sender)
            .map_err(|error| PlaceError(error.to_string()))?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let ended = CancellationToken::new();
        let leg = OutboundLeg {
            layer: Arc::clone(&self.layer),
            dialog: dialog.clone(),
            outcome,
            states,
            events: sender,
            ended: ended.clone(),
            description: call.offer,
            answers,
            route,
        };
        self.legs.spawn(async move {
            run_outbound(leg).await;
            drop(pass);
        });
        let control = super::rsip_leg::Control {
            dialog,
            _ended: ended.drop_guard(),
        };
        Ok(Leg {
            events,
            control: Box::new(control),
            peer: call.proxy.ip(),
        })
    }

    async fn next_inbound(&self) -> Option<InboundLeg> {
        let mut inbound = self.inbound.lock().await;
        tokio::select! {
            leg = inbound.recv() => leg,
            () = self.stop.cancelled() => None,
        }
    }

    fn set_peers(&self, peers: Vec<Peer>) {
        *self.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    fn local(&self) -> SocketAddr {
        self.own.local()
    }

    fn problem(&self) -> Option<String> {
        self.gate.problem(Instant::now().into_std())
    }

    fn metrics(&self) -> Vec<Metric> {
        self.gate.metrics()
    }

    async fn shutdown(&self) {
        self.legs.close();
        if tokio::time::timeout(DRAIN, self.legs.wait()).await.is_err() {
            tracing::warn!(
                legs = self.legs.len(),
                "calls were still being ended when the SIP side stopped"
            );
        }
        self.stop.cancel();
    }
}

impl Drop for RsipStack {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
