//! The one subscriber of a peer: counts each message, once, and acknowledges it.

use crate::client::{Identity, connected};
use crate::reading;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use tests_mqtt::{acknowledge, first, read_publish, subscribe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is read at once.
const READ_BYTES: usize = 128 * 1024;

/// A subscriber of all devices' telemetry.
pub struct Subscriber {
    stream: TcpStream,
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// Messages, each counted once.
    pub distinct: usize,
    /// The same one again.
    pub repeated: usize,
}

impl Subscriber {
    /// Subscribes at QoS 1. With `clean_session` the broker may forget it when it leaves; without, what it does not
    /// acknowledge is part of the broker's persistence.
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn new(broker: SocketAddr, clean_session: bool) -> Result<Self> {
        let who = Identity {
            device: "subscriber".into(),
            user_name: "acme/subscriber".into(),
            secret: "none".into(),
        };
        let mut stream = connected(broker, &who, clean_session).await?;
        stream.write_all(&subscribe(1, &["d/+/t"])).await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        ensure!(answer == [0x90, 3, 0, 1, 1], "not subscribed: {answer:?}");
        Ok(Self { stream })
    }

    /// Takes messages until `devices × each` have come, of the boot that the readings were made for.
    ///
    /// # Errors
    /// The broker closes the connection, or something comes that was not sent.
    pub async fn receive(&mut self, devices: usize, each: usize) -> Result<Received> {
        let mut seen = vec![false; devices * each];
        let mut received = Received::default();
        let mut buffer = vec![0; READ_BYTES];
        let mut filled = 0;
        let mut answers = Vec::new();
        while received.distinct < seen.len() {
            let read = self.stream.read(&mut buffer[filled..]).await?;
            ensure!(read > 0, "the broker closed the subscriber after {received:?}");
            filled += read;
            let mut at = 0;
            while let Some((kind, body, end)) = first(&buffer[at..filled]) {
                let packet = &buffer[at + body..at + end];
                let (device, number, id) = read_message(kind, packet).context("not a PUBLISH of this load")?;
                let place = seen
                    .get_mut(device * each + number)
                    .context("a message of another load")?;
                received.distinct += usize::from(!*place);
                received.repeated += usize::from(*place);
                *place = true;
                if let Some(id) = id {
                    answers.extend(acknowledge(id));
                }
                at += end;
            }
            buffer.copy_within(at..filled, 0);
            filled -= at;
            self.stream.write_all(&answers).await?;
            answers.clear();
        }
        Ok(received)
    }
}

/// Device, number of the reading within its load, and packet id at QoS 1.
fn read_message(kind: u8, packet: &[u8]) -> Option<(usize, usize, Option<u16>)> {
    let (topic, id, payload) = read_publish(kind, packet)?;
    Some((reading::device_of(topic)?, reading::number_of(payload)?, id))
}
