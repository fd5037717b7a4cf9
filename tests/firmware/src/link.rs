//! A link between a device and its hub that can be cut, and whose answers can be lost. It keeps what went up.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tests_mqtt::{first, read_publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes that are taken at a time.
const PIECE: usize = 4_096;

/// What the link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// What comes from the hub is lost on the way.
    Deaf,
    /// Connections end, and none is let through.
    Cut,
}

/// A message that went up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which connection it went on, from 0.
    pub connection: usize,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Whether it said that it may have come before.
    pub is_again: bool,
}

/// A listener of its own that hands everything on to the hub. It ends when it is dropped.
pub struct Link {
    /// Where devices connect.
    pub port: u16,
    state: watch::Sender<State>,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: JoinHandle<()>,
}

impl Link {
    /// A link to the hub at this address; it is up.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn to(hub: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (state, seen) = watch::channel(State::Up);
        let sent = Arc::new(Mutex::new(Vec::new()));
        let accepting = tokio::spawn(accept(listener, hub, seen, sent.clone()));
        Ok(Self {
            port,
            state,
            sent,
            accepting,
        })
    }

    /// Ends all connections; new ones end at once.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// From now on what the hub says is lost; what devices say arrives.
    pub fn lose_answers(&self) {
        self.state.send_replace(State::Deaf);
    }

    /// All is well from now on.
    pub fn mend(&self) {
        self.state.send_replace(State::Up);
    }

    /// Connections that devices have opened, also those that ended at once.
    pub fn connections(&self) -> usize {
        lock(&self.sent).len()
    }

    /// All messages of MQTT 3.1.1 that went up so far, in order.
    pub fn published(&self) -> Vec<Published> {
        let mut found = Vec::new();
        for (connection, bytes) in lock(&self.sent).iter().enumerate() {
            let mut rest = bytes.as_slice();
            while let Some((kind, body, end)) = first(rest) {
                if let Some((topic, _, payload)) = read_publish(kind, &rest[body..end]) {
                    found.push(Published {
                        connection,
                        topic: String::from_utf8_lossy(topic).into_owned(),
                        payload: payload.to_vec(),
                        is_again: kind & 0b1000 != 0,
                    });
                }
                rest = &rest[end..];
            }
        }
        found
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

fn lock(sent: &Mutex<Vec<Vec<u8>>>) -> MutexGuard<'_, Vec<Vec<u8>>> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, hub: SocketAddr, state: watch::Receiver<State>, sent: Arc<Mutex<Vec<Vec<u8>>>>) {
    while let Ok((device, _)) = listener.accept().await {
        let connection = {
            let mut sent = lock(&sent);
            sent.push(Vec::new());
            sent.len() - 1
        };
        if *state.borrow() == State::Cut {
            continue;
        }
        let (state, sent) = (state.clone(), sent.clone());
        tokio::spawn(async move {
            // A hub that is not there takes the device's connection with it.
            if let Ok(hub) = TcpStream::connect(hub).await {
                hand_on(device, hub, state, |bytes| {
                    lock(&sent)[connection].extend_from_slice(bytes);
                })
                .await;
            }
        });
    }
}

/// Until either side ends, or the link is cut.
async fn hand_on(device: TcpStream, hub: TcpStream, mut state: watch::Receiver<State>, note: impl Fn(&[u8])) {
    let (mut from_device, mut to_device) = device.into_split();
    let (mut from_hub, mut to_hub) = hub.into_split();
    let heard = state.clone();
    let noted = |bytes: &[u8]| {
        note(bytes);
        true
    };
    tokio::select! {
        () = copy(&mut from_device, &mut to_hub, noted) => {}
        () = copy(&mut from_hub, &mut to_device, |_| *heard.borrow() == State::Up) => {}
        () = until_cut(&mut state) => {}
    }
}

async fn until_cut(state: &mut watch::Receiver<State>) {
    // An error is the end of the link.
    let _ = state.wait_for(|state| *state == State::Cut).await;
}

async fn copy(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, passes: impl Fn(&[u8]) -> bool) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..count];
        if passes(bytes) && to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
