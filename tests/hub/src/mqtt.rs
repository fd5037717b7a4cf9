//! A device that writes its packets byte by byte (MQTT 3.1.1), so that it can also say what no client library would.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// A hub that works answers sooner, also on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Who a device says it is.
#[derive(Debug, Clone, Copy)]
pub struct LogIn<'a> {
    /// `tenant/device`.
    pub user_name: &'a str,
    /// The device's secret.
    pub secret: &'a str,
    /// Plays no part at the hub.
    pub client_id: &'a str,
    /// Seconds; the hub waits one and a half times as long.
    pub keep_alive_s: u16,
}

/// A connection of a device.
pub struct RawDevice {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl RawDevice {
    /// A connection on which nothing has been said yet.
    pub async fn open(hub: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(hub).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            reader: BufReader::new(reader),
            writer,
        })
    }

    /// A device that the hub has taken.
    pub async fn connected(hub: SocketAddr, who: LogIn<'_>) -> Result<Self> {
        let mut device = Self::open(hub).await?;
        device.send(&connect(who)).await;
        let answer = device.packet().await?;
        ensure!(
            answer == Some((0x20, vec![0, 0])),
            "{} was not taken: {answer:?}",
            who.user_name
        );
        Ok(device)
    }

    /// Writes; that the hub has closed already shows when reading.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.writer.write_all(bytes).await;
    }

    /// Says that nothing more will come.
    pub async fn say_no_more(&mut self) {
        let _ = self.writer.shutdown().await;
    }

    /// The next packet as first byte and body; `None` at the connection's end.
    ///
    /// # Errors
    /// If neither comes in time.
    pub async fn packet(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        timeout(PATIENCE, self.read_packet())
            .await
            .context("the hub neither answers nor closes")
    }

    async fn read_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.reader.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.reader.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).await.ok()?;
        Some((first, body))
    }

    /// Publishes at QoS 1 with at most `window` unacknowledged; returns when all are acknowledged, in order.
    ///
    /// # Errors
    /// If the connection ends, or another acknowledgement comes than was due.
    pub async fn publish_all(&mut self, messages: &[(&str, &[u8])], window: usize) -> Result<()> {
        let mut messages = messages.iter();
        let (mut next, mut due, mut waiting) = (1u16, 1u16, 0);
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            for (topic, payload) in messages.by_ref().take(window - waiting) {
                buffer.extend(publish(topic, next, payload));
                next = next.checked_add(1).unwrap_or(1);
                waiting += 1;
            }
            if waiting == 0 {
                return Ok(());
            }
            if !buffer.is_empty() {
                self.send(&buffer).await;
            }
            let answer = self.packet().await?.context("the hub closed the connection")?;
            ensure!(
                answer == (0x40, due.to_be_bytes().to_vec()),
                "not the acknowledgement of {due}: {answer:?}"
            );
            due = due.checked_add(1).unwrap_or(1);
            waiting -= 1;
        }
    }

    /// A ping and its answer: whatever was said before has been read, and the connection stands.
    ///
    /// # Errors
    /// If the connection has ended, or something else is answered.
    pub async fn ping(&mut self) -> Result<()> {
        self.send(&[0xC0, 0]).await;
        let answer = self.packet().await?;
        ensure!(answer == Some((0xD0, Vec::new())), "no answer to a ping: {answer:?}");
        Ok(())
    }

    /// Waits for the connection's end and takes what comes before it.
    ///
    /// # Errors
    /// If the hub keeps the connection.
    pub async fn closed(&mut self) -> Result<()> {
        while self.packet().await?.is_some() {}
        Ok(())
    }
}

/// A PUBLISH at QoS 1 (§3.3).
pub fn publish(topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let body = [&text(topic)[..], &packet_id.to_be_bytes(), payload].concat();
    frame(0x32, &body)
}

/// A CONNECT with user name, password and clean session (§3.1).
fn connect(who: LogIn<'_>) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[4, 0b1100_0010], &who.keep_alive_s.to_be_bytes()].concat();
    let strings = [who.client_id, who.user_name, who.secret].map(text).concat();
    frame(0x10, &[head, strings].concat())
}

/// A string with its length (§1.5.3).
pub fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// A packet: first byte, length, body (§2.2).
pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        // Seven bits at a time (§2.2.3).
        let low = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}
