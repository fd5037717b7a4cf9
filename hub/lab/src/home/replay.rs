//! A recorded stream in over real MQTT, as one device.

use super::HomeCounters;
use super::delivery::{Delivered, DeviceConnection, DeviceError};
use super::device::{Device, Source};
use super::message::Sample;
use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A replay gives up when the hub acknowledges nothing for so long.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// How fast a recording is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as the hub acknowledges.
    Unlimited,
    /// Recorded seconds in a real second; above 0.
    Speed(f64),
}

/// A recording to be replayed.
#[derive(Debug)]
pub struct Replay<I> {
    /// The device to be.
    pub connection: DeviceConnection,
    /// Resolution of its channels.
    pub profile: Arc<ApplianceProfile>,
    /// Of this replay, at most `agent_sdk_wire::MAX_NUMBER`. Samples are numbered from 0, so a replay that was cut off
    /// and is repeated with the same id and recording stores nothing twice.
    pub boot_id: u64,
    /// The recording, already rebased to the times it is to have: [`Sample`]s, or what becomes them.
    pub samples: I,
    /// How fast.
    pub pace: Pace,
}

/// Replays a recording to its end, or until `stop`. Progress can be read from `counters` meanwhile; the result counts
/// this replay alone and is complete if all that was taken is acknowledged.
///
/// # Errors
/// If the hub cannot be reached for some seconds at the start, refuses the credential or acknowledges nothing for a minute, or a
/// sample cannot be encoded.
pub async fn replay<I>(
    replay: Replay<I>,
    stop: CancellationToken,
    counters: Arc<HomeCounters>,
) -> Result<Delivered, DeviceError>
where
    I: Iterator<Item: Into<Sample>> + Send,
{
    let Replay {
        connection,
        profile,
        boot_id,
        samples,
        pace,
    } = replay;
    let source = Recording {
        samples: samples.map(Into::<Sample>::into).peekable(),
        pace,
        begun: None,
    };
    let patience = Some(GIVE_UP_AFTER);
    Device::new(connection, profile, boot_id, source, counters, stop, patience)
        .run()
        .await
}

/// A recording and how much of it is due.
struct Recording<I: Iterator<Item = Sample>> {
    samples: Peekable<I>,
    pace: Pace,
    /// When the replay began, and the recorded time of its first sample.
    begun: Option<(Instant, Timestamp)>,
}

impl<I: Iterator<Item = Sample> + Send> Source for Recording<I> {
    fn due(&mut self, room: usize) -> Vec<Sample> {
        let Some(first) = self.samples.peek() else {
            return Vec::new();
        };
        let (begun, first) = *self.begun.get_or_insert((Instant::now(), first.at));
        let due_s = match self.pace {
            Pace::Unlimited => f64::INFINITY,
            Pace::Speed(speed) => begun.elapsed().as_secs_f64() * speed,
        };
        let mut due = Vec::new();
        while due.len() < room
            && let Some(sample) = self
                .samples
                .next_if(|s| s.at.duration_since(first).as_secs_f64() <= due_s)
        {
            due.push(sample);
        }
        due
    }

    fn is_over(&mut self) -> bool {
        self.samples.peek().is_none()
    }
}
