//! Packets over a socket, with the buffers between. An idle connection holds neither a read nor a write buffer.

use crate::codec::Codec;
use crate::session::{CloseReason, Incoming, Outgoing};
use crate::socket::{Found, Ready, Socket, Way};
use bytes::BytesMut;
use std::io::ErrorKind;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// While more than this waits to be sent, nothing is read: a device that does not listen is not listened to.
const OUTPUT_MAX: usize = 16 * 1024;
/// After the last packet: how long the peer may take to read it and close.
const LINGER: Duration = Duration::from_millis(500);

/// See the module.
pub(crate) struct Wire {
    socket: Socket,
    codec: Codec,
    input: BytesMut,
    output: BytesMut,
    /// How long the device may leave what it is sent unread.
    patience: Duration,
    write_by: Option<Instant>,
}

impl Wire {
    pub(crate) fn new(socket: Socket, patience: Duration) -> Self {
        Self {
            socket,
            codec: Codec::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            patience,
            write_by: None,
        }
    }

    /// How the client reached the hub.
    pub(crate) fn way(&self) -> Way {
        self.socket.way()
    }

    /// Takes messages of the layer below MQTT, if it has any, of up to so many bytes.
    pub(crate) fn take_messages(&mut self, message_max: usize) {
        self.socket.take_messages(message_max);
    }

    /// Whether the device keeps up with what it is sent.
    pub(crate) fn keeps_up(&self) -> bool {
        self.output.len() < OUTPUT_MAX
    }

    /// When the device must have read something, if anything waits.
    pub(crate) fn write_by(&self) -> Option<Instant> {
        self.write_by
    }

    /// Ready when there is something to read, if `reading`, or room to send what waits.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<Ready> {
        let writing = !self.output.is_empty() || self.socket.holds_output();
        self.socket.poll_ready(cx, reading, writing)
    }

    /// Reads what is there; gives how many bytes.
    pub(crate) fn read(&mut self) -> Result<usize, CloseReason> {
        match self.socket.read(&mut self.input) {
            Ok(Found::Bytes(count)) => Ok(count),
            Ok(Found::Nothing) => Ok(0),
            Ok(Found::End) => Err(CloseReason::Lost),
            // TLS or WebSocket that breaks its own protocol.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                let text: String = error.to_string().chars().filter(|c| !c.is_control()).collect();
                Err(CloseReason::Malformed(text))
            }
            Err(_) => Err(CloseReason::Lost),
        }
    }

    /// The next complete packet among what was read.
    pub(crate) fn next_packet(&mut self, bytes_max: usize, greeting: bool) -> Result<Option<Incoming>, CloseReason> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let packet = self.codec.read(&mut self.input, bytes_max, greeting);
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        packet
    }

    /// Puts a packet behind those that wait to be sent; gives its length.
    pub(crate) fn write(&mut self, packet: Outgoing) -> Result<usize, CloseReason> {
        let before = self.output.len();
        self.codec.write(packet, &mut self.output)?;
        Ok(self.output.len() - before)
    }

    /// Sends what the socket takes now.
    pub(crate) fn flush(&mut self) -> Result<(), CloseReason> {
        if self.output.is_empty() && !self.socket.holds_output() {
            return Ok(());
        }
        let before = self.output.len();
        match self.socket.write(&mut self.output) {
            Ok(true) => {
                self.write_by = None;
                self.output = BytesMut::new();
                Ok(())
            }
            Ok(false) => {
                if self.output.len() < before {
                    self.write_by = None;
                }
                let patience = self.patience;
                self.write_by.get_or_insert_with(|| Instant::now() + patience);
                Ok(())
            }
            Err(_) => {
                self.output.clear();
                Err(CloseReason::Lost)
            }
        }
    }

    /// Sends what is left and waits until the peer has seen it, within bounds.
    pub(crate) async fn say_goodbye(mut self) {
        let send = async {
            while !self.socket.write(&mut self.output)? {
                self.socket.writable().await?;
            }
            self.socket.close();
            while !self.socket.write(&mut self.output)? {
                self.socket.writable().await?;
            }
            Ok::<(), std::io::Error>(())
        };
        if matches!(timeout(self.patience, send).await, Ok(Ok(()))) {
            // Closed next, whether or not it was heard in time.
            let _ = timeout(LINGER, self.socket.linger()).await;
        }
    }
}
