//! What a call works with: the trunks, prompts, audio, limits and figures.

use crate::call::STOPPING;
use crate::config::{Limits, VoiceConfig};
use crate::detail::EndedBy;
use crate::figures::Figures;
use crate::glare::Ringing;
use crate::media::{MediaEngine, MediaError, MediaOptions, MediaSession};
use crate::prompt::PromptMaker;
use crate::signaling::CallStack;
use crate::trunk::{Channel, Trunk, Trunks};
use crate::whereabouts::Whereabouts;
use hub_core::call_result::CallResult;
use hub_core::lines::Lines;
use hub_core::metric::{Metric, MetricKind};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why no INVITE was sent.
pub(crate) struct NotRung {
    pub result: CallResult,
    pub by: EndedBy,
    pub reason: String,
    /// The reason lies in this call alone.
    pub this_call_only: bool,
}

impl NotRung {
    /// What this call is to say cannot be said.
    pub fn this_call(reason: String) -> Self {
        Self {
            this_call_only: true,
            ..reason.into()
        }
    }

    /// The trunk, as it is set up or used, is what is missing.
    pub fn trunk(reason: String) -> Self {
        Self {
            result: CallResult::NetworkFailure,
            by: EndedBy::Trunk,
            reason,
            this_call_only: false,
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
            this_call_only: false,
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
    pub trunks: Trunks,
    /// Whom we ring.
    pub ringing: Ringing,
    /// What was logged of late.
    lines: Lines,
}

impl Line {
    /// Works as `config` says, over `stack` and these trunks. `told` stands for the stack's own address.
    pub fn new(
        config: VoiceConfig,
        stack: Arc<dyn CallStack>,
        (prompts, media): (PromptMaker, MediaEngine),
        (told, trunks): (Option<Arc<Whereabouts>>, Trunks),
    ) -> Self {
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
            trunks,
            ringing: Ringing::default(),
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
    pub fn trunk(&self, name: &str) -> Result<Arc<Trunk>, NotRung> {
        self.trunks.named(name).ok_or_else(|| NotRung {
            result: CallResult::TrunkRefused,
            by: EndedBy::Hub,
            reason: format!("no trunk is named {name}"),
            this_call_only: false,
        })
    }

    /// A free channel of `trunk`, within `Limits::channel`.
    pub async fn channel(&self, trunk: &Trunk) -> Result<Channel, NotRung> {
        match tokio::time::timeout(self.limits.channel, trunk.channel()).await {
            Ok(Some(channel)) => Ok(channel),
            _ => Err(NotRung::trunk(format!(
                "all channels of the trunk {} stayed in use",
                trunk.config.name
            ))),
        }
    }

    pub fn open_media(&self) -> Result<MediaSession, MediaError> {
        self.media.open(&self.media_options)
    }

    /// The host that the far side is told, if it is not the stack's own.
    pub fn told(&self) -> Option<&Arc<Whereabouts>> {
        self.told.as_ref()
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
        let trunks = self.trunks.all();
        trunks.iter().map(|trunk| trunk.channels.available_permits()).sum()
    }

    /// Whether callers stayed unknown within the last hour.
    pub fn has_unknown(&self) -> bool {
        let now = Instant::now().into_std();
        self.trunks.all().iter().any(|trunk| trunk.unknown.is_recent(now))
    }

    /// Metrics: free channels, skipped ticks, unknown callers, the figures of calls, and those of the stack.
    pub fn metrics(&self) -> Vec<Metric> {
        let free = u64::try_from(self.free_channels()).unwrap_or(u64::MAX);
        let channels = "Channels of all trunks that carry no call.";
        let ticks = "Ticks of 20 ms that came more than 100 ms late and were skipped: audio of every call that was up is missing.";
        let callers =
            "Calls that came in with a number in From that the trunk does not assert, and without believe_from.";
        let mut callers = Metric::new("voice_callers_unknown_total", MetricKind::Counter, callers);
        for trunk in self.trunks.all() {
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
