//! The socket of a connection with its buffers. An idle connection holds neither a read nor a write buffer.

use crate::codec;
use crate::session::{CloseReason, Incoming, Outgoing};
use bytes::{Buf, BytesMut};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes read at one time.
const READ_CHUNK: usize = 4 * 1024;
/// While more than this waits to be sent, nothing is read: a device that does not listen is not listened to.
const OUTPUT_MAX: usize = 16 * 1024;
/// After the last packet: how long the peer may take to read it and close.
const LINGER: Duration = Duration::from_millis(500);

/// See the module.
pub(crate) struct Wire {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    /// How long the device may leave what it is sent unread.
    patience: Duration,
    write_by: Option<Instant>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            patience,
            write_by: None,
        }
    }

    /// Whether the device keeps up with what it is sent.
    pub(crate) fn keeps_up(&self) -> bool {
        self.output.len() < OUTPUT_MAX
    }

    /// When the device must have read something, if anything waits.
    pub(crate) fn write_by(&self) -> Option<Instant> {
        self.write_by
    }

    /// Until there is something to read, if `reading`, or room to send what waits. Errors show up at the next read.
    pub(crate) async fn ready(&self, reading: bool) -> Ready {
        tokio::select! {
            _ = self.stream.readable(), if reading => Ready::Read,
            _ = self.stream.writable(), if !self.output.is_empty() => Ready::Write,
            () = std::future::pending() => Ready::Write,
        }
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self) -> Result<(), CloseReason> {
        self.input.reserve(READ_CHUNK);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => Err(CloseReason::Lost),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(CloseReason::Lost),
        }
    }

    /// The next complete packet among what was read.
    pub(crate) fn next_packet(&mut self, bytes_max: usize, greeting: bool) -> Result<Option<Incoming>, CloseReason> {
        let packet = codec::read(&mut self.input, bytes_max, greeting);
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        packet
    }

    /// Puts a packet behind those that wait to be sent.
    pub(crate) fn write(&mut self, packet: Outgoing) -> Result<(), CloseReason> {
        codec::write(packet, &mut self.output)
    }

    /// Sends what the socket takes now.
    pub(crate) fn flush(&mut self) -> Result<(), CloseReason> {
        while !self.output.is_empty() {
            match self.stream.try_write(&self.output) {
                Ok(sent) => {
                    self.output.advance(sent);
                    self.write_by = None;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let patience = self.patience;
                    self.write_by.get_or_insert_with(|| Instant::now() + patience);
                    return Ok(());
                }
                Err(_) => {
                    self.output.clear();
                    return Err(CloseReason::Lost);
                }
            }
        }
        self.write_by = None;
        self.output = BytesMut::new();
        Ok(())
    }

    /// Sends what is left and waits until the peer has seen it: closing at once with unread input would make the
    /// system throw the last packet away.
    pub(crate) async fn say_goodbye(mut self) {
        let send = async {
            self.stream.write_all(&self.output).await?;
            self.stream.shutdown().await
        };
        if matches!(timeout(self.patience, send).await, Ok(Ok(()))) {
            // Closed next, whether or not it was heard in time.
            let _ = timeout_at(Instant::now() + LINGER, self.discard()).await;
        }
    }

    /// Reads and forgets until the peer closes.
    async fn discard(&self) {
        let mut bin = [0; 512];
        while self.stream.readable().await.is_ok() {
            match self.stream.try_read(&mut bin) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// What a socket is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Something to read, or the end.
    Read,
    /// Room to send.
    Write,
}
