//! The door to the telephone side.

use crate::config::{Limits, TrunkConfig, VoiceConfig};
use crate::detail::CallDetail;
use crate::host::{CallHost, InboundHost};
use crate::media::{MediaEngine, MediaError, MediaOptions, MediaSession};
use crate::order::CallOrder;
use crate::prompt::cache::PromptCache;
use crate::prompt::tts::{EspeakTts, Tts, TtsError};
use crate::prompt::{PromptError, PromptMaker};
use crate::signaling::CallStack;
use crate::signaling::rsip::{Peer, RsipStack, StackError};
use crate::{inbound, outbound};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the telephone side did not start.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// No trunk is configured.
    #[error("no SIP trunk is configured; add one under [[voice.trunks]]")]
    NoTrunk,
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

struct Trunk {
    config: TrunkConfig,
    channels: Arc<Semaphore>,
}

/// What a call works with.
pub(crate) struct Line {
    pub stack: Arc<dyn CallStack>,
    pub prompts: PromptMaker,
    pub limits: Limits,
    media: MediaEngine,
    media_options: MediaOptions,
    trunks: Vec<Trunk>,
}

impl Line {
    /// A free channel: of the first trunk that has one, else of the first trunk as soon as there is one.
    pub async fn channel(&self) -> Result<(TrunkConfig, OwnedSemaphorePermit), String> {
        for trunk in &self.trunks {
            if let Ok(permit) = Arc::clone(&trunk.channels).try_acquire_owned() {
                return Ok((trunk.config.clone(), permit));
            }
        }
        let first = self.trunks.first().ok_or("no trunk is configured")?;
        match tokio::time::timeout(self.limits.channel, Arc::clone(&first.channels).acquire_owned()).await {
            Ok(Ok(permit)) => Ok((first.config.clone(), permit)),
            _ => Err("all channels of the trunks stayed in use".into()),
        }
    }

    /// A channel for a call that comes in from `peer`.
    pub fn inbound_channel(&self, peer: IpAddr) -> Option<OwnedSemaphorePermit> {
        let mut of_peer = self.trunks.iter().filter(|trunk| trunk.config.proxy.ip() == peer);
        of_peer.find_map(|trunk| Arc::clone(&trunk.channels).try_acquire_owned().ok())
    }

    pub fn open_media(&self) -> Result<MediaSession, MediaError> {
        self.media.open(&self.media_options)
    }

    /// An audio address as the far side reaches it.
    pub fn advertised(&self, local: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.stack.local().ip(), local.port())
    }
}

/// The telephone side: one for each hub.
pub struct Voice {
    line: Arc<Line>,
    incoming: TaskTracker,
    stop: CancellationToken,
}

impl Voice {
    /// Starts SIP, audio and the voice as configured.
    pub async fn start(config: VoiceConfig) -> Result<Self, VoiceError> {
        let peer = |trunk: &TrunkConfig| Peer {
            domain: trunk.domain.clone(),
            address: trunk.proxy,
        };
        let peers: Vec<Peer> = config.trunks.iter().map(peer).collect();
        let stack = RsipStack::start(config.bind, config.advertise, &peers).await?;
        Self::with_stack(config, Arc::new(stack), Arc::new(EspeakTts::default()))
    }

    /// Starts over another network (the fake trunk) or with another voice.
    pub fn with_stack(config: VoiceConfig, stack: Arc<dyn CallStack>, tts: Arc<dyn Tts>) -> Result<Self, VoiceError> {
        if config.trunks.is_empty() {
            return Err(VoiceError::NoTrunk);
        }
        let cache = PromptCache::open(&config.prompt_cache, config.prompt_cache_bytes)?;
        let ip = config.bind.ip();
        let trunk = |config: TrunkConfig| Trunk {
            channels: Arc::new(Semaphore::new(config.channels)),
            config,
        };
        let line = Line {
            stack,
            prompts: PromptMaker::new(tts, cache, config.recordings)?,
            limits: config.limits,
            media: MediaEngine::start()?,
            media_options: MediaOptions {
                ip,
                ports: config.media_ports,
                echo: false,
                capture_max: 0,
            },
            trunks: config.trunks.into_iter().map(trunk).collect(),
        };
        Ok(Self {
            line: Arc::new(line),
            incoming: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Where SIP is received.
    pub fn local(&self) -> SocketAddr {
        self.line.stack.local()
    }

    /// Channels free right now over all trunks. Whoever dials in a row asks this first.
    pub fn free_channels(&self) -> usize {
        self.line
            .trunks
            .iter()
            .map(|trunk| trunk.channels.available_permits())
            .sum()
    }

    /// Rings an owner. Always exactly one detail; every wait on the way is bounded (`Limits`). The INVITE goes out at most
    /// once.
    pub async fn ring(&self, order: CallOrder, host: Arc<dyn CallHost>) -> CallDetail {
        outbound::ring(&self.line, order, host).await
    }

    /// Takes calls that come in until `stop`. Each runs in a task of its own; their number is bounded by the channels.
    pub async fn serve_inbound(&self, host: Arc<dyn InboundHost>, stop: CancellationToken) {
        loop {
            let call = tokio::select! {
                Some(call) = self.line.stack.next_inbound() => call,
                () = stop.cancelled() => return,
                () = self.stop.cancelled() => return,
                else => return,
            };
            let (line, host) = (Arc::clone(&self.line), Arc::clone(&host));
            self.incoming
                .spawn(async move { inbound::take(&line, call, host).await });
        }
    }

    /// Stops taking calls, waits a little for BYEs on their way, and closes the SIP socket.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.incoming.close();
        self.line.stack.shutdown().await;
    }
}
