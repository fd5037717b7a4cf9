//! How the telephone side is set up.

use hub_core::host::{Host, HostPort};
use hub_core::number_plan::NumberPlan;
use hub_core::phone_number::PhoneNumber;
use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

pub use crate::limits::Limits;

/// A password. Never shown, never written out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password, for the trunk only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A carrier's SIP trunk. With user name and password it is asked by digest (RFC 3261 §22); without, it knows us by our address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkConfig {
    /// Its name, unique: orders and calls that come in name their trunk by it.
    pub name: String,
    /// Where requests go; a name is resolved at the start and again each minute. Whatever comes in comes from its addresses (any
    /// port), or from one of `addresses`.
    pub proxy: HostPort,
    /// Further hosts that the carrier sends from (any port): most have several edges. Names are resolved as the proxy's is. What
    /// comes from elsewhere is dropped.
    #[serde(default)]
    pub addresses: Vec<Host>,
    /// The host part of From, To and Request-URI.
    pub domain: String,
    /// The digest user name.
    #[serde(default)]
    pub username: Option<String>,
    /// The digest password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The number shown to owners; rung back, it reaches the hub.
    pub caller_number: PhoneNumber,
    /// Calls at the same time, in and out together.
    #[serde(default = "default_channels")]
    pub channels: usize,
    /// Of these, how many calls that we place leave free for those that come in. Without it a quarter, at least one; one is left to
    /// our own calls in any case.
    #[serde(default)]
    pub inbound_channels: Option<usize>,
    /// Whether a caller is taken for who `From` says where the trunk asserts nobody (RFC 3325), or somebody who is neither a
    /// global number nor anonymous. True only of a carrier that checks it: anybody can write anything there.
    #[serde(default)]
    pub believe_from: bool,
    /// Stands for `Limits::post_dial` in calls over this trunk, in seconds.
    #[serde(default)]
    pub post_dial_limit_s: Option<u8>,
    /// Stands for `Limits::trying` in calls over this trunk, in seconds.
    #[serde(default)]
    pub trying_limit_s: Option<u8>,
    /// How numbers are written on the trunk. Without it callers are known by numbers with `+` and country code alone, and numbers
    /// are written so.
    #[serde(default)]
    pub number_plan: Option<NumberPlan>,
}

impl TrunkConfig {
    /// A number as the carrier wants it.
    pub(crate) fn written(&self, number: &PhoneNumber) -> String {
        match &self.number_plan {
            Some(plan) => plan.write(number),
            None => number.reveal().to_owned(),
        }
    }
}

impl TrunkConfig {
    /// Calls at the same time that we place.
    pub(crate) fn outbound_channels(&self) -> usize {
        let kept = self.inbound_channels.unwrap_or(self.channels.div_ceil(4));
        self.channels.saturating_sub(kept).max(self.channels.min(1))
    }
}

fn default_channels() -> usize {
    10
}

/// How the telephone side is set up.
#[derive(Debug, Clone)]
pub struct VoiceConfig {
    /// Where SIP is received over UDP. Port 0: the system chooses.
    pub bind: SocketAddr,
    /// The address written into SIP and SDP when it is not `bind`'s. Without it `bind` may not be unspecified (0.0.0.0, ::):
    /// nobody could answer to that. A name is resolved at the start and again each minute; without an address no call is
    /// placed or answered.
    pub advertise: Option<Host>,
    /// The UDP ports for audio, of which the even ones are used; the system chooses even ones when there is none.
    pub media_ports: Option<RangeInclusive<u16>>,
    /// At least one. A call goes out over the one its order names.
    pub trunks: Vec<TrunkConfig>,
    /// Where spoken prompts are kept.
    pub prompt_cache: PathBuf,
    /// How much of them, in bytes; 64 MB is about an hour.
    pub prompt_cache_bytes: u64,
    /// Recordings that stand for spoken prompts, as `{language}/{message}.wav`.
    pub recordings: Option<PathBuf>,
    /// The time limits of a call.
    pub limits: Limits,
}
