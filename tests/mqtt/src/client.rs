//! A client that says no more than it is told to: a test sends bytes, right or wrong, and looks at each answer.

use crate::packet::{Connect, first, publish};
use anyhow::{Context, Result, bail, ensure};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A broker that works answers sooner, also on a loaded machine with a crash recovery between.
const PATIENCE: Duration = Duration::from_secs(40);

/// A connection over TCP.
pub struct Client {
    /// A packet may take so long to come; 40 seconds unless it is changed.
    pub patience: Duration,
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// A connection on which nothing has been said yet.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(broker: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(broker).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            patience: PATIENCE,
            stream,
            unread: Vec::with_capacity(1024),
        })
    }

    /// A client of MQTT 3.1.1 that the broker has taken, and of which it had kept nothing.
    ///
    /// # Errors
    /// Nobody listens there, a session is present, or as [`Client::log_in`].
    pub async fn connected(broker: SocketAddr, who: &Connect<'_>) -> Result<Self> {
        let mut client = Self::open(broker).await?;
        let connack = client.log_in(who).await?;
        ensure!(connack == [0, 0], "{} was known: {connack:?}", who.user_name);
        Ok(client)
    }

    /// Says who it is; the body of the CONNACK by which it is taken, which begins with whether a session is present.
    ///
    /// # Errors
    /// It is refused, the connection ends, or no answer comes in time.
    pub async fn log_in(&mut self, who: &Connect<'_>) -> Result<Vec<u8>> {
        self.send(&who.bytes()).await;
        match self.packet().await? {
            Some((0x20, body)) if body.get(1) == Some(&0) => Ok(body),
            answer => bail!("{} was not taken: {answer:?}", who.user_name),
        }
    }

    /// Writes; that the broker has closed already shows when reading.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.write_all(bytes).await;
    }

    /// Writes.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Says that nothing more will come.
    pub async fn say_no_more(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// First byte and body of the next packet; `None` at the connection's end.
    ///
    /// # Errors
    /// Neither comes in time.
    pub async fn packet(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        timeout(self.patience, self.read_packet())
            .await
            .context("the broker neither answers nor closes")
    }

    async fn read_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((kind, body, end)) = first(&self.unread) {
                let packet = (kind, self.unread[body..end].to_vec());
                self.unread.drain(..end);
                return Some(packet);
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// Waits, however long it takes, until something has come that is not read yet; false at the connection's end.
    /// Nothing is lost if it is given up.
    pub async fn ready(&mut self) -> bool {
        !self.unread.is_empty() || self.read_more().await
    }

    async fn read_more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..))
    }

    /// Publishes at QoS 1 with at most `window` unacknowledged; returns when all are acknowledged, in order.
    ///
    /// # Errors
    /// The connection ends, or another acknowledgement comes than was due.
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
            let answer = self.packet().await?.context("the broker closed the connection")?;
            ensure!(
                answer == (0x40, due.to_be_bytes().to_vec()),
                "not the acknowledgement of {due}: {answer:?}"
            );
            due = due.checked_add(1).unwrap_or(1);
            waiting -= 1;
        }
    }

    /// A ping and its answer: whatever was said before has been read, and nothing else was answered.
    ///
    /// # Errors
    /// The connection has ended, or something else is answered.
    pub async fn ping(&mut self) -> Result<()> {
        self.send(&[0xC0, 0]).await;
        let answer = self.packet().await?;
        ensure!(answer == Some((0xD0, Vec::new())), "no answer to a ping: {answer:?}");
        Ok(())
    }

    /// Waits for the connection's end and takes what comes before it.
    ///
    /// # Errors
    /// The broker keeps the connection.
    pub async fn closed(&mut self) -> Result<()> {
        while self.packet().await?.is_some() {}
        Ok(())
    }
}
