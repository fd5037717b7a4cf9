//! What a call works with: the trunks and their channels, prompts, audio, limits and figures.

use crate::call::STOPPING;
use crate::config::{Limits, TrunkConfig, VoiceConfig};
use crate::detail::EndedBy;
use crate::figures::Figures;
use crate::media::{MediaEngine, MediaError, MediaOptions, MediaSession};
use crate::prompt::PromptMaker;
use crate::signaling::CallStack;
use crate::signaling::called::{Called, owner};
use crate::signaling::rsip::Peer;
use crate::unknown::Unknown;
use crate::whereabouts::Whereabouts;
use hub_core::call_result::CallResult;
use hub_core::lines::Lines;
use hub_core::metric::{Metric, MetricKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A trunk, its free channels, and its callers whom nobody knows since their number stands in From alone.
pub(crate) struct Trunk {
    pub config: TrunkConfig,
    pub channels: Arc<Semaphore>,
    pub unknown: Unknown,
    /// Where its carrier is.
    pub peer: Peer,
}

/// Why a call that comes in belongs to no trunk.
pub(crate) enum NoTrunk {
    /// No trunk stands at the address it comes from.
    Stranger,
    /// It is for no number of the trunks there.
    NotOurs,
}

/// Why no INVITE was sent.
pub(crate) struct NotRung {
    pub result: CallResult,
    pub by: EndedBy,
    pub reason: String,
}

impl NotRung {
    /// The trunk, as it is set up or used, is what is missing.
    pub fn trunk(reason: String) -> Self {
        Self {
            result: CallResult::NetworkFailure,
            by: EndedBy::Trunk,
            reason,
        }
    }

    /// Every call has to end.
    pub fn stopping() -> Self {
        Self {
            by: EndedBy::Stopping,
            ..STOPPING.to_owned().into()
        }
    }
}

/// Something is missing in our own house.
impl From<String> for NotRung {
    fn from(reason: String) -> Self {
        Self {
            result: CallResult::NotPlaced,
            by: EndedBy::Hub,
            reason,
        }
    }
}

/// What a call works with.
pub(crate) struct Line {
    pub stack: Arc<dyn CallStack>,
    pub prompts: PromptMaker,
    pub limits: Limits,
    pub figures: Figures,
    /// Cancelled when every call has to end now.
    pub ending: CancellationToken,
    media: MediaEngine,
    media_options: MediaOptions,
    /// The address that the far side is told, if it is not the stack's own.
    told: Option<Arc<Whereabouts>>,
    trunks: Vec<Trunk>,
    /// What was logged of late.
    lines: Lines,
}

impl Line {
    /// Works as `config` says, over `stack`. `told` stands for the stack's own address; `peers` are in the trunks' order.
    pub fn new(
        config: VoiceConfig,
        stack: Arc<dyn CallStack>,
        (prompts, media): (PromptMaker, MediaEngine),
        (told, peers): (Option<Arc<Whereabouts>>, Vec<Peer>),
    ) -> Self {
        let trunk = |(config, peer): (TrunkConfig, Peer)| Trunk {
            channels: Arc::new(Semaphore::new(config.channels)),
            unknown: Unknown::default(),
            peer,
            config,
        };
        Self {
            stack,
            prompts,
            limits: config.limits,
            figures: Figures::default(),
            ending: CancellationToken::new(),
            media,
            media_options: MediaOptions {
                ip: config.bind.ip(),
                ports: config.media_ports,
                echo: false,
                capture_max: 0,
                silence_max: Some(config.limits.silence),
            },
            told,
            trunks: config.trunks.into_iter().zip(peers).map(trunk).collect(),
            lines: Lines::default(),
        }
    }

    /// Whether a line of log that a caller can cause is to be written now; if not, it is counted.
    pub fn tells(&self, kind: &'static str) -> bool {
        self.lines.shows(kind, Instant::now().into_std())
    }

    /// Tells about what was not logged in windows that are over.
    pub fn tell_hidden(&self) {
        for (kind, more) in self.lines.over(Instant::now().into_std()) {
            tracing::warn!(kind, more, "more lines about calls that come in, not written");
        }
    }

    /// The trunk that an order names. Another one would show the owner another company's number.
    pub fn trunk(&self, name: &str) -> Result<&Trunk, NotRung> {
        let named = self.trunks.iter().find(|trunk| trunk.config.name == name);
        named.ok_or_else(|| NotRung {
            result: CallResult::TrunkRefused,
            by: EndedBy::Hub,
            reason: format!("no trunk is named {name}"),
        })
    }

    /// A free channel of `trunk`, within `Limits::channel`.
    pub async fn channel(&self, trunk: &Trunk) -> Result<OwnedSemaphorePermit, NotRung> {
        match tokio::time::timeout(self.limits.channel, Arc::clone(&trunk.channels).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(NotRung::trunk(format!(
                "all channels of the trunk {} stayed in use",
                trunk.config.name
            ))),
        }
    }

    /// The trunk that a call from `peer` came in over: the one at that address whose number was called.
    pub fn inbound_trunk(&self, peer: IpAddr, called: Option<&Called>) -> Result<&Trunk, NoTrunk> {
        let of_peer = || self.trunks.iter().filter(|trunk| trunk.peer.stands_at(peer));
        if of_peer().next().is_none() {
            return Err(NoTrunk::Stranger);
        }
        let own = of_peer().map(|trunk| (&trunk.config.caller_number, trunk));
        called.and_then(|called| owner(called, own)).ok_or(NoTrunk::NotOurs)
    }

    pub fn open_media(&self) -> Result<MediaSession, MediaError> {
        self.media.open(&self.media_options)
    }

    /// An audio address as the far side reaches it; the error says why there is none.
    pub fn advertised(&self, local: SocketAddr) -> Result<SocketAddr, String> {
        let unknown = || "the name that stands for our own address (sip_advertise) could not be resolved".to_owned();
        let own = match &self.told {
            Some(place) => place.first().ok_or_else(unknown)?,
            None => self.stack.local(),
        };
        Ok(SocketAddr::new(own.ip(), local.port()))
    }

    /// Channels over all trunks that carry no call right now.
    pub fn free_channels(&self) -> usize {
        self.trunks.iter().map(|trunk| trunk.channels.available_permits()).sum()
    }

    /// Whether callers stayed unknown within the last hour.
    pub fn has_unknown(&self) -> bool {
        let now = Instant::now().into_std();
        self.trunks.iter().any(|trunk| trunk.unknown.is_recent(now))
    }

    /// Metrics: free channels, skipped ticks, unknown callers, the figures of calls, and those of the stack.
    pub fn metrics(&self) -> Vec<Metric> {
        let free = u64::try_from(self.free_channels()).unwrap_or(u64::MAX);
        let channels = "Channels of all trunks that carry no call.";
        let ticks = "Ticks of 20 ms that came more than 100 ms late and were skipped: audio of every call that was up is missing.";
        let callers =
            "Calls that came in with a number in From that the trunk does not assert, and without believe_from.";
        let mut callers = Metric::new("voice_callers_unknown_total", MetricKind::Counter, callers);
        for trunk in &self.trunks {
            callers.push(&[("trunk", trunk.config.name.as_str())], trunk.unknown.total());
        }
        let mut metrics = vec![
            Metric::new("voice_channels_free", MetricKind::Gauge, channels).with(&[], free),
            Metric::new("voice_late_ticks_total", MetricKind::Counter, ticks).with(&[], self.media.late_ticks()),
            callers,
        ];
        metrics.extend(self.figures.metrics());
        metrics.extend(self.stack.metrics());
        metrics
    }
}
