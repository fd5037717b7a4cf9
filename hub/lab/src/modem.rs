//! A simulated modem at a board's serial port: it opens connections for a board that has no network stack. What it says and
//! hears is in `agent-sdk/firmware/c-demo/modem.h`: frames of a kind, a count, and as many bytes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// From the board: open a connection to the hub.
const OPEN: u8 = b'O';
/// From the board: close it; the answer is [`LOST`].
const CLOSE: u8 = b'C';
/// Either way: bytes of the connection.
const DATA: u8 = b'D';
/// To the board: it is open.
const UP: u8 = b'U';
/// To the board: there is none, or none any more.
const LOST: u8 = b'L';

/// Frames of the board that may wait.
const WAITING_MAX: usize = 64;

/// A modem of its own for one board. It ends when it is dropped.
#[derive(Debug)]
pub struct Modem {
    /// Where the board's serial port is connected.
    pub port: u16,
    task: JoinHandle<io::Result<()>>,
}

impl Modem {
    /// A modem that opens connections to the hub at this address.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn to(hub: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            let (board, _) = listener.accept().await?;
            serve(board, hub).await
        });
        Ok(Self { port, task })
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Connection = Option<(OwnedReadHalf, OwnedWriteHalf)>;

async fn serve(board: TcpStream, hub: SocketAddr) -> io::Result<()> {
    board.set_nodelay(true)?;
    let (from_board, mut to_board) = board.into_split();
    let (heard, mut frames) = mpsc::channel(WAITING_MAX);
    tokio::spawn(listen(from_board, heard));
    let mut connection: Connection = None;
    let mut buffer = [0; u8::MAX as usize];
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                // The board was switched off.
                None => return Ok(()),
                Some((kind, bytes)) => obey(kind, &bytes, hub, &mut connection, &mut to_board).await?,
            },
            read = read(&mut connection, &mut buffer) => match read {
                Ok(count @ 1..) => say(&mut to_board, DATA, &buffer[..count]).await?,
                Ok(_) | Err(_) => {
                    connection = None;
                    say(&mut to_board, LOST, &[]).await?;
                }
            },
        }
    }
}

/// Reads frames until the board is switched off.
async fn listen(mut from_board: OwnedReadHalf, heard: mpsc::Sender<(u8, Vec<u8>)>) {
    loop {
        let mut head = [0; 2];
        if from_board.read_exact(&mut head).await.is_err() {
            return;
        }
        let mut bytes = vec![0; usize::from(head[1])];
        if from_board.read_exact(&mut bytes).await.is_err() || heard.send((head[0], bytes)).await.is_err() {
            return;
        }
    }
}

async fn obey(
    kind: u8,
    bytes: &[u8],
    hub: SocketAddr,
    connection: &mut Connection,
    to_board: &mut OwnedWriteHalf,
) -> io::Result<()> {
    match (kind, connection.as_mut()) {
        (OPEN, _) => match TcpStream::connect(hub).await {
            Ok(stream) => {
                *connection = Some(stream.into_split());
                say(to_board, UP, &[]).await
            }
            Err(_) => {
                *connection = None;
                say(to_board, LOST, &[]).await
            }
        },
        (CLOSE, _) => {
            *connection = None;
            say(to_board, LOST, &[]).await
        }
        // That it was lost is told when it is read.
        (DATA, Some((_, to_hub))) => {
            let _ = to_hub.write_all(bytes).await;
            Ok(())
        }
        // The board has not heard yet that the connection is lost; or it says what no board says.
        _ => Ok(()),
    }
}

/// Bytes of the hub; while there is no connection, none come.
async fn read(connection: &mut Connection, buffer: &mut [u8]) -> io::Result<usize> {
    match connection {
        Some((from_hub, _)) => from_hub.read(buffer).await,
        None => std::future::pending().await,
    }
}

/// Writes a frame of at most 255 bytes.
async fn say(to_board: &mut OwnedWriteHalf, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let count = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    let bytes = &bytes[..usize::from(count)];
    to_board.write_all(&[&[kind, count], bytes].concat()).await
}
