//! Publishers: a task a connection, which writes as many packets at once as it may and reads as many
//! acknowledgements at once as there are. It shares the processors with what it measures, so it does nothing else.

use crate::train::Train;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use tests_mqtt::{Connect, first};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections that are being made at one time.
const CONNECTING_MAX: usize = 64;
/// First byte of a PUBACK.
const PUBACK: u8 = 0x40;
/// Acknowledgements read at once: a window is smaller.
const READ_BYTES: usize = 512;

/// Who a load client says it is; the same for every broker.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Client id and device name.
    pub device: String,
    /// `tenant/device`.
    pub user_name: String,
    /// The password.
    pub secret: String,
}

impl Identity {
    /// Its CONNECT.
    pub(crate) fn connect(&self, clean_session: bool) -> Vec<u8> {
        let who = Connect {
            client_id: &self.device,
            keep_alive_s: 600,
            clean: clean_session,
            ..Connect::new(&self.user_name, &self.secret)
        };
        who.bytes()
    }
}

/// A connection that the broker has taken.
///
/// # Errors
/// It was refused, or closed.
pub async fn connected(broker: SocketAddr, who: &Identity, clean_session: bool) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(broker).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&who.connect(clean_session)).await?;
    let mut answer = [0; 4];
    stream
        .read_exact(&mut answer)
        .await
        .with_context(|| format!("{} got no CONNACK", who.device))?;
    ensure!(
        answer[0] == 0x20 && answer[3] == 0,
        "{} was refused: {answer:?}",
        who.device
    );
    Ok(stream)
}

/// Connects all, some at a time; in the order of `identities`.
///
/// # Errors
/// One was not taken.
pub async fn connect_all(broker: SocketAddr, identities: &[Identity]) -> Result<Vec<TcpStream>> {
    let permits = Arc::new(Semaphore::new(CONNECTING_MAX));
    let mut connecting = JoinSet::new();
    for (index, who) in identities.iter().cloned().enumerate() {
        let permits = permits.clone();
        connecting.spawn(async move {
            let _permit = permits.acquire_owned().await?;
            anyhow::Ok((index, connected(broker, &who, true).await?))
        });
    }
    let mut streams = Vec::new();
    while let Some(done) = connecting.join_next().await {
        streams.push(done??);
    }
    streams.sort_by_key(|(index, _)| *index);
    Ok(streams.into_iter().map(|(_, stream)| stream).collect())
}

/// Publishes with at most `window` unacknowledged, and returns when all are acknowledged, in order.
///
/// # Errors
/// The connection ends, or another acknowledgement comes than was due.
pub async fn publish(stream: &mut TcpStream, train: &Train, window: usize) -> Result<()> {
    let count = train.count();
    let (mut sent, mut acknowledged) = (0, 0);
    let mut buffer = [0; READ_BYTES];
    let mut filled = 0;
    while acknowledged < count {
        let to = (acknowledged + window).min(count);
        if to > sent {
            stream.write_all(train.packets(sent, to)).await?;
            sent = to;
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(
            read > 0,
            "the broker closed the connection after {acknowledged} of {count}"
        );
        filled += read;
        let mut at = 0;
        while let Some((kind, body, end)) = first(&buffer[at..filled]) {
            let id = u16::try_from(acknowledged + 1)?.to_be_bytes();
            let said = &buffer[at + body..at + end];
            ensure!(
                kind == PUBACK && said == id,
                "not the acknowledgement of {}: {kind:#x} {said:?}",
                acknowledged + 1
            );
            acknowledged += 1;
            at += end;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
    Ok(())
}
