//! Connections that say nothing, and what memory a broker holds for each.

use crate::broker::Broker;
use crate::client::Identity;
use crate::reading::identity;
use crate::tls::server_name;
use anyhow::{Context, Result, ensure};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests_hub::processes::resident_memory;
use tests_mqtt::subscribe;

/// Threads that connect; each waits for one answer at a time.
const THREADS: usize = 32;
/// Connected and left again before the first look, so that what the first connections load counts for none.
const WARM_UP: usize = 32;
/// A broker that works answers sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// Memory for each connection, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// Authenticated.
    pub connected: f64,
    /// With one subscription of its own as well.
    pub subscribed: f64,
    /// From the first connect to the last CONNACK.
    pub took: Duration,
}

/// A socket, with TLS or without.
trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// Connects `count` devices and looks at the broker's memory.
///
/// # Errors
/// A connection fails.
pub async fn measure(
    broker: &Broker,
    address: SocketAddr,
    count: usize,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Idle> {
    drop(open(address, WARM_UP, tls.clone()).await?);
    broker.quiet().await?;
    let empty = resident_memory(broker.pid)?;
    let begun = Instant::now();
    let connections = open(address, count, tls).await?;
    let took = begun.elapsed();
    broker.quiet().await?;
    let connected = resident_memory(broker.pid)?;
    let connections = tokio::task::spawn_blocking(|| subscribe_all(connections)).await??;
    broker.quiet().await?;
    let subscribed = resident_memory(broker.pid)?;
    ensure!(connections.len() == count, "{} connections", connections.len());
    // Not before: they were open at each look.
    drop(connections);
    let each = |memory: u64| (memory as f64 - empty as f64) / count as f64;
    Ok(Idle {
        connected: each(connected),
        subscribed: each(subscribed),
        took,
    })
}

type Connections = Vec<(usize, Box<dyn Wire>)>;

async fn open(address: SocketAddr, count: usize, tls: Option<Arc<ClientConfig>>) -> Result<Connections> {
    tokio::task::spawn_blocking(move || {
        let devices: Vec<usize> = (0..count).collect();
        in_threads(devices, |n| Ok((n, open_one(address, &identity(n), tls.as_ref())?)))
    })
    .await?
}

fn subscribe_all(connections: Connections) -> Result<Connections> {
    in_threads(connections, |(n, mut wire)| {
        let device = identity(n).device;
        wire.write_all(&subscribe(1, &[&format!("d/{device}/c/+")]))?;
        let mut answer = [0; 5];
        wire.read_exact(&mut answer)?;
        ensure!(answer == [0x90, 3, 0, 1, 1], "{device} is not subscribed: {answer:?}");
        Ok((n, wire))
    })
}

fn in_threads<T: Send, U: Send>(items: Vec<T>, work: impl Fn(T) -> Result<U> + Sync) -> Result<Vec<U>> {
    let share = items.len().div_ceil(THREADS).max(1);
    let mut shares = Vec::new();
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        shares.push(items.by_ref().take(share).collect::<Vec<T>>());
    }
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.into_iter().map(work).collect::<Result<Vec<U>>>()))
            .collect();
        let mut done = Vec::new();
        for thread in threads {
            let share = thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
            done.extend(share?);
        }
        Ok(done)
    })
}

fn open_one(address: SocketAddr, who: &Identity, tls: Option<&Arc<ClientConfig>>) -> Result<Box<dyn Wire>> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut wire: Box<dyn Wire> = match tls {
        Some(config) => Box::new(StreamOwned::new(
            ClientConnection::new(config.clone(), server_name()?)?,
            socket,
        )),
        None => Box::new(socket),
    };
    wire.write_all(&who.connect(true))?;
    let mut answer = [0; 4];
    wire.read_exact(&mut answer)
        .with_context(|| format!("{} got no CONNACK", who.device))?;
    ensure!(
        answer[0] == 0x20 && answer[3] == 0,
        "{} was refused: {answer:?}",
        who.device
    );
    Ok(wire)
}
