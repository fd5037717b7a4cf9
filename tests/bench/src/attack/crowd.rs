//! Strangers at the HTTP listener who hold connections and give nothing for them; one that is closed comes again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A connection is not tried for longer.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Between the end of a connection and the next one: a thousand come again within a second. With more the crowd itself, on the
/// same machine, is what takes the processors.
const PAUSE: Duration = Duration::from_secs(1);
/// Who never reads asks for so many pages, and then for one more each second.
const PAGES: usize = 200;
const ONE_MORE: Duration = Duration::from_secs(1);

/// What a stranger does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Asks for long pages and reads none of them.
    NeverReads,
    /// Says nothing.
    Silent,
    /// Begins a request and does not end it.
    HalfHeader,
}

impl Habit {
    /// For figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverReads => "never_reads",
            Self::Silent => "silent",
            Self::HalfHeader => "half_header",
        }
    }
}

/// A crowd of them, which goes when it is dropped.
pub struct Crowd {
    _tasks: JoinSet<()>,
    opened: Arc<AtomicU64>,
    closed: Arc<AtomicU64>,
}

impl Crowd {
    /// So many at a time, from so many addresses that are not the one of those who ask honestly.
    pub fn gather(http: SocketAddr, habit: Habit, count: usize, addresses: u8) -> Self {
        let (opened, closed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let mut tasks = JoinSet::new();
        for (n, last) in (0..count).zip((0..addresses.max(1)).cycle()) {
            let source = Ipv4Addr::new(127, 0, 0, FIRST_ADDRESS.saturating_add(last));
            let (opened, closed) = (opened.clone(), closed.clone());
            tasks.spawn(async move {
                // Not all in the same instant, which no listener's queue would hold.
                sleep(Duration::from_micros(500) * u32::try_from(n).unwrap_or(u32::MAX)).await;
                loop {
                    if let Some(stream) = connected(http, source).await {
                        opened.fetch_add(1, Ordering::Relaxed);
                        hold(stream, http, habit).await;
                        closed.fetch_add(1, Ordering::Relaxed);
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        Self {
            _tasks: tasks,
            opened,
            closed,
        }
    }

    /// Connections opened so far, those that came again among them, and of these closed by the hub. One that the hub has no
    /// place for has reached it too: it is accepted and closed.
    pub fn counts(&self) -> (u64, u64) {
        (self.opened.load(Ordering::Relaxed), self.closed.load(Ordering::Relaxed))
    }
}

/// Last byte of the first address of a crowd: 127.0.0.101 and up.
const FIRST_ADDRESS: u8 = 101;

async fn connected(http: SocketAddr, source: Ipv4Addr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(SocketAddr::new(IpAddr::V4(source), 0)).ok()?;
    timeout(CONNECT_MAX, socket.connect(http)).await.ok()?.ok()
}

/// Until the hub closes it.
async fn hold(mut stream: TcpStream, http: SocketAddr, habit: Habit) {
    match habit {
        Habit::Silent => until_closed(&mut stream).await,
        Habit::HalfHeader => {
            let half = format!("GET /healthz HTTP/1.1\r\nHost: {http}\r\nAccept: te");
            if stream.write_all(half.as_bytes()).await.is_ok() {
                until_closed(&mut stream).await;
            }
        }
        Habit::NeverReads => {
            let one = format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {http}\r\n\r\n");
            let mut wanted = one.repeat(PAGES);
            // That it is closed shows only when writing.
            while stream.write_all(wanted.as_bytes()).await.is_ok() {
                wanted.clone_from(&one);
                sleep(ONE_MORE).await;
            }
        }
    }
}

async fn until_closed(stream: &mut TcpStream) {
    let mut answer = [0; 512];
    while matches!(stream.read(&mut answer).await, Ok(1..)) {}
}
