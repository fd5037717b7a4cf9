//! How a device reaches its hub, and what comes of it.

use super::message::PackError;
use agent_sdk_wire::EncodeError;
use jiff::Timestamp;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How a device reaches its hub.
#[derive(Clone)]
pub struct DeviceConnection {
    /// The hub's MQTT address.
    pub broker: SocketAddr,
    /// The tenant of the credential.
    pub tenant: String,
    /// The device id within the tenant.
    pub device: String,
    /// The device secret.
    pub secret: String,
}

impl fmt::Debug for DeviceConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} at {}", self.tenant, self.device, self.broker)
    }
}

/// What a device has delivered, in samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Taken from the machine or the recording.
    pub taken: u64,
    /// Acknowledged by the hub.
    pub acknowledged: u64,
}

/// Why a device gave up.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The credential is wrong or revoked: trying again would not help.
    #[error(
        "the hub refused device {device} (return code {code}): check that it is registered and its secret is right"
    )]
    Refused {
        /// Who was refused where, as `tenant/device at address`.
        device: String,
        /// The return code of the CONNACK (MQTT 3.1.1 §3.2.2.3).
        code: u8,
    },
    /// No connection could be opened, several times in a row.
    #[error("the hub of device {device} cannot be reached: is it running there?")]
    Unreached {
        /// Which device, as `tenant/device at address`.
        device: String,
        /// What the system said last.
        #[source]
        source: std::io::Error,
    },
    /// The hub acknowledges nothing.
    #[error("nothing acknowledged for {} s, {waiting} messages of {device} wait: is the hub running there?", limit.as_secs())]
    Stalled {
        /// Which device, as `tenant/device at address`.
        device: String,
        /// How long was waited.
        limit: Duration,
        /// Messages without acknowledgement.
        waiting: usize,
    },
    /// A board does not start, or has ended by itself.
    #[error("the board of device {device} does not run: check that the firmware is built and QEMU is there")]
    Board {
        /// Which device, as `tenant/device at address`.
        device: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A sample that the contract cannot carry.
    #[error("the sample of {at} cannot be encoded")]
    Sample {
        /// Its time.
        at: Timestamp,
        /// What is wrong with it.
        #[source]
        source: EncodeError,
    },
}

impl DeviceError {
    /// Whether this return code of a CONNACK is about the credentials.
    pub(super) fn is_final(code: u8) -> bool {
        matches!(code, 4 | 5)
    }
}

impl From<PackError> for DeviceError {
    fn from(PackError { at, why }: PackError) -> Self {
        Self::Sample { at, source: why }
    }
}

/// How a connection ended.
pub(super) enum End {
    /// All is delivered, or time for it is up.
    Done,
    /// Try again: why this one ended.
    Lost(String),
}
