//! A link between a device and its hub that can be cut, and whose answers can be lost. It keeps what went up.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    /// It is on connections on which the device has published something.
    DeafOnceAsked,
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
    lost: Arc<AtomicUsize>,
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
        let lost = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, hub, seen, sent.clone(), lost.clone()));
        Ok(Self {
            port,
            state,
            sent,
            lost,
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

    /// From now on a device hears the hub until it publishes something, and nothing more on that connection: so an answer is lost,
    /// and nothing before it.
    pub fn lose_answers_once_asked(&self) {
        self.state.send_replace(State::DeafOnceAsked);
    }

    /// All is well from now on.
    pub fn mend(&self) {
        self.state.send_replace(State::Up);
    }

    /// Connections that devices have opened, also those that ended at once.
    pub fn connections(&self) -> usize {
        lock(&self.sent).len()
    }

    /// Bytes of the hub that were lost so far.
    pub fn lost_bytes(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
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

async fn accept(
    listener: TcpListener,
    hub: SocketAddr,
    state: watch::Receiver<State>,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    lost: Arc<AtomicUsize>,
) {
    while let Ok((device, _)) = listener.accept().await {
        let connection = {
            let mut sent = lock(&sent);
            sent.push(Vec::new());
            sent.len() - 1
        };
        if *state.borrow() == State::Cut {
            continue;
        }
        let (state, sent, lost) = (state.clone(), sent.clone(), lost.clone());
        tokio::spawn(async move {
            // A hub that is not there takes the device's connection with it.
            if let Ok(hub) = TcpStream::connect(hub).await {
                hand_on(device, hub, state, &lost, |bytes| {
                    let mut sent = lock(&sent);
                    let own = &mut sent[connection];
                    own.extend_from_slice(bytes);
                    has_publish(own)
                })
                .await;
            }
        });
    }
}

/// Until either side ends, or the link is cut. `note` says whether the device has published something by then.
async fn hand_on(
    device: TcpStream,
    hub: TcpStream,
    mut state: watch::Receiver<State>,
    lost: &AtomicUsize,
    note: impl Fn(&[u8]) -> bool,
) {
    let (mut from_device, mut to_device) = device.into_split();
    let (mut from_hub, mut to_hub) = hub.into_split();
    let heard = state.clone();
    let has_asked = AtomicBool::new(false);
    // Noted before the hub has it, so that its answer does not slip through.
    let noted = |bytes: &[u8]| {
        has_asked.store(note(bytes), Ordering::Relaxed);
        true
    };
    let is_heard = |bytes: &[u8]| {
        let is_heard = match *heard.borrow() {
            State::Up => true,
            State::Deaf | State::Cut => false,
            State::DeafOnceAsked => !has_asked.load(Ordering::Relaxed),
        };
        if !is_heard {
            lost.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        is_heard
    };
    tokio::select! {
        () = copy(&mut from_device, &mut to_hub, noted) => {}
        () = copy(&mut from_hub, &mut to_device, is_heard) => {}
        () = until_cut(&mut state) => {}
    }
}

/// Whether a message of MQTT 3.1.1 is among packets.
fn has_publish(mut packets: &[u8]) -> bool {
    while let Some((kind, body, end)) = first(packets) {
        if read_publish(kind, &packets[body..end]).is_some() {
            return true;
        }
        packets = &packets[end..];
    }
    false
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
