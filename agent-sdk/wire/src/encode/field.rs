//! Names of what is written. As numbers until a person reads them: firmware never does, and pays for texts.

use core::fmt::{Display, Formatter, Result};

/// A part of a message, as the CDDL names it where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Arguments of a command.
    Args,
    /// When an event was.
    AtMs,
    /// Number of a boot.
    BootId,
    /// Id of a channel.
    ChannelId,
    /// How many channels a sample has.
    Channels,
    /// Code of an event.
    Code,
    /// Deadline of a command.
    DeadlineMs,
    /// Detail of an event or a reply.
    Detail,
    /// How many events were dropped.
    DroppedEvents,
    /// How many messages of telemetry were dropped.
    DroppedTelemetry,
    /// When a sample was taken.
    DtMs,
    /// Version of the firmware.
    Firmware,
    /// Method of a command.
    Method,
    /// Name of the model.
    Model,
    /// How many samples there are.
    Samples,
    /// Version of the agent.
    Sdk,
    /// Number of a record.
    Seq,
    /// Version of the settings.
    Settings,
    /// When the first sample was taken.
    T0Ms,
    /// The uptime of a clock message.
    UptimeMs,
    /// The civil time of a clock message.
    UtcMs,
    /// How many values a column has.
    Values,
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Args => "args",
            Self::AtMs => "at_ms",
            Self::BootId => "boot_id",
            Self::ChannelId => "channel id",
            Self::Channels => "channels",
            Self::Code => "code",
            Self::DeadlineMs => "deadline_ms",
            Self::Detail => "detail",
            Self::DroppedEvents => "dropped_events",
            Self::DroppedTelemetry => "dropped_telemetry",
            Self::DtMs => "dt_ms",
            Self::Firmware => "firmware",
            Self::Method => "method",
            Self::Model => "model",
            Self::Samples => "samples",
            Self::Sdk => "sdk",
            Self::Seq => "seq",
            Self::Settings => "settings",
            Self::T0Ms => "t0_ms",
            Self::UptimeMs => "uptime_ms",
            Self::UtcMs => "utc_ms",
            Self::Values => "values",
        })
    }
}
