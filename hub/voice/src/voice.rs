//! The door to the telephone side.

use crate::config::{TrunkConfig, VoiceConfig};
use crate::detail::CallDetail;
use crate::host::{CallHost, InboundHost};
use crate::line::Line;
use crate::media::{MediaEngine, MediaError};
use crate::order::CallOrder;
use crate::prompt::cache::PromptCache;
use crate::prompt::tts::{EspeakTts, Tts, TtsError};
use crate::prompt::{PromptError, PromptMaker};
use crate::signaling::CallStack;
use crate::signaling::rsip::{Peer, RsipStack, StackError};
use crate::trunk::{Channel, Trunk, Trunks};
use crate::whereabouts::{self, Whereabouts};
use crate::{inbound, outbound};
use hub_core::lines::WINDOW;
use hub_core::metric::Metric;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// At the end, the details of calls are waited for this long.
const ENDS_MAX: Duration = Duration::from_secs(5);

/// Why the telephone side did not start.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// No trunk is configured.
    #[error("no SIP trunk is configured; add one under [[voice.trunks]]")]
    NoTrunk,
    /// Two trunks cannot be told apart.
    #[error("two SIP trunks are named {0}; give each a name of its own")]
    SameName(String),
    /// Nobody could answer to the address.
    #[error("{0} stands for every address of this machine; name the one that the far side reaches")]
    NoAddress(IpAddr),
    /// SIP did not start.
    #[error("SIP did not start")]
    Stack(#[from] StackError),
    /// Audio did not start.
    #[error("audio did not start")]
    Media(#[from] MediaError),
    /// Prompts cannot be made or kept.
    #[error("prompts cannot be made")]
    Prompt(#[from] PromptError),
}

impl From<TtsError> for VoiceError {
    fn from(error: TtsError) -> Self {
        VoiceError::Prompt(error.into())
    }
}

/// The address that the far side is told, if it is not the stack's own.
fn told(config: &VoiceConfig) -> Option<Arc<Whereabouts>> {
    let told = config.advertise.as_ref()?.with_port(config.bind.port());
    Some(Arc::new(Whereabouts::new(told)))
}

/// Where each trunk's carrier is.
fn peers(trunks: &[Arc<Trunk>]) -> Vec<Peer> {
    trunks.iter().map(|trunk| trunk.peer.clone()).collect()
}

/// Trunks have names of their own.
fn are_apart(trunks: &[TrunkConfig]) -> Result<(), VoiceError> {
    let mut names = HashSet::new();
    match trunks.iter().find(|trunk| !names.insert(&trunk.name)) {
        Some(twice) => Err(VoiceError::SameName(twice.name.clone())),
        None => Ok(()),
    }
}

fn address_is_told(config: &VoiceConfig) -> Result<(), VoiceError> {
    let ip = config.bind.ip();
    if ip.is_unspecified() && config.advertise.is_none() {
        return Err(VoiceError::NoAddress(ip));
    }
    Ok(())
}

/// The telephone side: one for each hub.
pub struct Voice {
    line: Arc<Line>,
    /// Both directions; each has told its end when it leaves.
    calls: TaskTracker,
    stop: CancellationToken,
    /// Names are resolved; not over another network.
    resolves: bool,
    /// Ends what resolves names when this goes, or when other trunks are used, whether it was shut down or not.
    resolving: Mutex<Option<DropGuard>>,
}

impl Voice {
    /// Starts SIP, audio and the voice as configured.
    pub async fn start(config: VoiceConfig) -> Result<Self, VoiceError> {
        address_is_told(&config)?;
        are_apart(&config.trunks)?;
        let told = told(&config);
        let is_ipv4 = config.bind.is_ipv4();
        let trunks = Trunks::new(config.trunks.clone());
        let peers = peers(&trunks.all());
        let all: Vec<_> = peers.iter().flat_map(Peer::hosts).chain(&told).cloned().collect();
        whereabouts::resolve(&all, is_ipv4).await;
        let stack = RsipStack::start(config.bind, told.clone(), &peers).await?;
        let mut voice = Self::build(config, Arc::new(stack), Arc::new(EspeakTts::default()), (told, trunks))?;
        voice.resolves = true;
        voice.resolve_again(all);
        Ok(voice)
    }

    /// Starts over another network (the fake trunk) or with another voice. Names are not resolved.
    pub fn with_stack(config: VoiceConfig, stack: Arc<dyn CallStack>, tts: Arc<dyn Tts>) -> Result<Self, VoiceError> {
        are_apart(&config.trunks)?;
        let (told, trunks) = (told(&config), Trunks::new(config.trunks.clone()));
        Self::build(config, stack, tts, (told, trunks))
    }

    fn build(
        config: VoiceConfig,
        stack: Arc<dyn CallStack>,
        tts: Arc<dyn Tts>,
        (told, trunks): (Option<Arc<Whereabouts>>, Trunks),
    ) -> Result<Self, VoiceError> {
        if config.trunks.is_empty() {
            return Err(VoiceError::NoTrunk);
        }
        address_is_told(&config)?;
        let cache = PromptCache::open(&config.prompt_cache, config.prompt_cache_bytes)?;
        let prompts = PromptMaker::new(tts, cache, config.recordings.clone())?;
        let line = Line::new(config, stack, (prompts, MediaEngine::start()?), (told, trunks));
        Ok(Self {
            line: Arc::new(line),
            calls: TaskTracker::new(),
            stop: CancellationToken::new(),
            resolves: false,
            resolving: Mutex::default(),
        })
    }

    /// Uses these trunks from now on, in the place of those before: new calls go over them, and come in over them within a second.
    /// Calls that are up keep what they began with. With none of them nobody is rung.
    pub async fn set_trunks(&self, trunks: Vec<TrunkConfig>) -> Result<(), VoiceError> {
        are_apart(&trunks)?;
        let next = self.line.trunks.with(trunks);
        let peers = peers(&next);
        if self.resolves {
            let all: Vec<_> = peers
                .iter()
                .flat_map(Peer::hosts)
                .chain(self.line.told())
                .cloned()
                .collect();
            whereabouts::resolve(&all, self.local().is_ipv4()).await;
            self.resolve_again(all);
        }
        self.line.stack.set_peers(peers);
        self.line.trunks.replace(next);
        Ok(())
    }

    /// Asks for these names again and again, and for no others any more.
    fn resolve_again(&self, all: Vec<Arc<Whereabouts>>) {
        let stop = CancellationToken::new();
        tokio::spawn(whereabouts::resolve_again(all, self.local().is_ipv4(), stop.clone()));
        *self.resolving.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop.drop_guard());
    }

    /// Whether there is a trunk of this name now.
    pub fn has_trunk(&self, name: &str) -> bool {
        self.line.trunks.named(name).is_some()
    }

    /// A channel of this trunk for [`Voice::ring_over`], if there is one that is not kept for calls that come in.
    pub fn channel(&self, trunk: &str) -> Option<Channel> {
        self.line.trunks.named(trunk)?.try_channel()
    }

    /// Names of the trunks that have no such channel now.
    pub fn full_trunks(&self) -> Vec<String> {
        let full = self.line.trunks.all().into_iter().filter(|trunk| trunk.is_full());
        full.map(|trunk| trunk.config.name.clone()).collect()
    }

    /// Where SIP is received.
    pub fn local(&self) -> SocketAddr {
        self.line.stack.local()
    }

    /// What keeps it from ringing anybody, for an administrator: part and reason.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        self.line.stack.problem().map(|reason| ("sip", reason))
    }

    /// Metrics of the telephone side: free channels, ticks of the media thread that were skipped, callers who stayed unknown,
    /// calls up and ended, set-up times, packets, and what the gate of the SIP socket let through and dropped.
    pub fn metrics(&self) -> Vec<Metric> {
        self.line.metrics()
    }

    /// For a person: that within the last hour callers stayed unknown who may be owners.
    pub fn notices(&self) -> Vec<(&'static str, String)> {
        let notice = ("voice", "callers stayed unknown: see believe_from".to_owned());
        self.line.has_unknown().then_some(notice).into_iter().collect()
    }

    /// Channels over all trunks that carry no call right now.
    pub fn free_channels(&self) -> usize {
        self.line.free_channels()
    }

    /// Rings an owner. Always exactly one detail; every wait on the way is bounded (`Limits`). The INVITE goes out at most
    /// once.
    pub async fn ring(&self, order: CallOrder, host: Arc<dyn CallHost>) -> CallDetail {
        let ring = outbound::ring(&self.line, order, host, None);
        self.calls.track_future(ring).await
    }

    /// The same over a channel of the order's trunk that was taken before, so that no wait for one comes between.
    pub async fn ring_over(&self, channel: Channel, order: CallOrder, host: Arc<dyn CallHost>) -> CallDetail {
        let ring = outbound::ring(&self.line, order, host, Some(channel));
        self.calls.track_future(ring).await
    }

    /// Takes calls that come in until `stop`. Each runs in a task of its own; their number is bounded by the channels.
    pub async fn serve_inbound(&self, host: Arc<dyn InboundHost>, stop: CancellationToken) {
        let mut telling = tokio::time::interval(WINDOW);
        loop {
            let call = tokio::select! {
                Some(call) = self.line.stack.next_inbound() => call,
                _ = telling.tick() => {
                    self.line.tell_hidden();
                    continue;
                }
                () = stop.cancelled() => return,
                () = self.stop.cancelled() => return,
                else => return,
            };
            let (line, host) = (Arc::clone(&self.line), Arc::clone(&host));
            self.calls.spawn(async move { inbound::take(&line, call, host).await });
        }
    }

    /// Ends every call that is up, politely: what is answered gets its BYE, what rings is cancelled, and each call's detail
    /// follows within about 2 s. From now on no call is placed or answered any more. Returns at once.
    pub fn hang_up_all(&self) {
        self.line.ending.cancel();
    }

    /// Stops taking calls, ends those that are up as `hang_up_all` does, waits up to 5 s until their details are delivered,
    /// then a little for BYEs on their way, and closes the SIP socket.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.hang_up_all();
        self.calls.close();
        if tokio::time::timeout(ENDS_MAX, self.calls.wait()).await.is_err() {
            tracing::warn!(
                calls = self.calls.len(),
                "calls had not ended when the telephone side stopped"
            );
        }
        self.line.stack.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use hub_core::phone_number::PhoneNumber;

    #[tokio::test]
    async fn an_address_that_nobody_can_answer_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (bind, advertise) in [
            ("0.0.0.0:0", None),
            ("[::]:0", None),
            ("0.0.0.0:0", Some("127.0.0.1")),
            ("0.0.0.0:0", Some("localhost")),
        ] {
            let trunk = TrunkConfig {
                name: "test".into(),
                proxy: "127.0.0.1:9".parse().unwrap(),
                addresses: Vec::new(),
                domain: "trunk.test".into(),
                username: None,
                password: None,
                caller_number: PhoneNumber::new("+864008000001").unwrap(),
                channels: 1,
                inbound_channels: None,
                believe_from: false,
                post_dial_limit_s: None,
                trying_limit_s: None,
                number_plan: None,
            };
            let config = VoiceConfig {
                bind: bind.parse().unwrap(),
                advertise: advertise.map(|ip| ip.parse().unwrap()),
                media_ports: None,
                trunks: vec![trunk],
                prompt_cache: folder.path().to_owned(),
                prompt_cache_bytes: 1 << 20,
                recordings: None,
                limits: Limits::default(),
            };
            match (Voice::start(config).await, advertise) {
                (Ok(voice), Some(told)) => {
                    let media = voice.line.open_media().unwrap();
                    let announced = voice.line.advertised(media.local()).unwrap();
                    let own = IpAddr::from([127, 0, 0, 1]);
                    assert_eq!((announced.ip(), voice.local().ip()), (own, own), "{told}");
                    assert_eq!(announced.port(), media.local().port());
                    voice.shutdown().await;
                }
                (Err(VoiceError::NoAddress(ip)), None) => assert!(ip.is_unspecified()),
                (Ok(_), None) => panic!("{bind} is told to nobody"),
                (Err(error), _) => panic!("{bind}: {error}"),
            }
        }
    }
}
