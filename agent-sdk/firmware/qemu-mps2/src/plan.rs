//! What the arguments ask of an image.

use crate::args::Args;
use crate::pump::Pump;

/// The arguments of both images:
///
/// | name | meaning |
/// | --- | --- |
/// | `port` | where the hub listens on the host's 127.0.0.1 |
/// | `user` | `tenant/device` |
/// | `secret` | the device's own secret; without it |
/// | `claim` or `group` | the token of a claim credential, or the secret that a group's key gives the device; |
/// | `flash` | a file of the debugger's that stands in for the flash and keeps the secret: two pages of 4,096 bytes |
/// | `boot`, `seed` | entropy: a board has it, QEMU's has not |
/// | `unit`, `worn_from` | which pump, and from which reading on it is worn; never unless given |
/// | `past` | readings taken before the network came, a second apart, in no time |
/// | `count` | readings altogether; without end unless given |
/// | `period_ms` | how long the pump waits between two of the others; 1,000 unless given |
/// | `batch` | samples of a batch; 32 unless given |
/// | `event_at` | the number of the reading with which the device raises the event `E18` |
/// | `backoff_cap_ms` | the longest wait between connections; 300,000 unless given |
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// Port of the hub.
    pub port: u16,
    /// `tenant/device`.
    pub user: &'a str,
    /// The device's name alone.
    pub device: &'a str,
    /// The device's own secret, if it was given one.
    pub secret: Option<&'a str>,
    /// The token of a claim credential.
    pub claim: Option<&'a str>,
    /// The secret that a group's key gives the device.
    pub group: Option<&'a str>,
    /// What stands in for the flash.
    pub flash: Option<&'a str>,
    /// Of the first start; each further one adds one.
    pub boot: u64,
    /// For back-off, ports and TCP.
    pub seed: u64,
    /// The pump.
    pub pump: Pump,
    /// Readings before there was a network.
    pub past: u64,
    /// Readings altogether.
    pub count: u64,
    /// Between two of those that come after.
    pub period_ms: u64,
    /// Samples of a batch.
    pub batch: u8,
    /// With which reading the event is raised.
    pub event_at: Option<u64>,
    /// The longest wait between connections.
    pub backoff_cap_ms: u32,
}

impl<'a> Plan<'a> {
    /// Reads it; `None` if something is missing that must be there, or is out of bounds.
    pub fn read(args: Args<'a>) -> Option<Self> {
        let number = |name: &str, otherwise: u64| match args.text(name) {
            Some(text) => text.parse().ok(),
            None => Some(otherwise),
        };
        let user = args.text("user")?;
        let (_, device) = user.split_once('/')?;
        Some(Self {
            port: u16::try_from(args.number("port")?).ok()?,
            user,
            device,
            secret: args.text("secret"),
            claim: args.text("claim"),
            group: args.text("group"),
            flash: args.text("flash"),
            boot: args.number("boot")?,
            seed: args.number("seed")?,
            pump: Pump {
                unit: number("unit", 1)?,
                worn_from: number("worn_from", u64::MAX)?,
            },
            past: number("past", 0)?,
            count: number("count", u64::MAX)?,
            period_ms: number("period_ms", 1_000)?,
            batch: u8::try_from(number("batch", 32)?).ok()?,
            event_at: args.number("event_at"),
            backoff_cap_ms: u32::try_from(number("backoff_cap_ms", 300_000)?).ok()?,
        })
    }
}
