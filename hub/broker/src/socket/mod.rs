//! A client's connection below MQTT: TCP, TLS over it, a WebSocket over either. Everything here is non-blocking and driven
//! by readiness, and an idle connection holds no buffer but what TLS and WebSocket cannot do without.

mod error;
mod open;
mod tls;
mod transport;
mod web;

pub(crate) use error::HandshakeError;
pub(crate) use open::{Opened, open};
pub use tls::TlsError;
pub(crate) use tls::{Tls, watch};

use bytes::{Buf, BytesMut};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::task::{Context, Poll};
use transport::Transport;
use web::Web;

/// Bytes read at one time.
const READ_CHUNK: usize = 8 * 1024;

/// How a client reached the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// MQTT over TCP.
    Tcp,
    /// MQTT over TLS.
    Tls,
    /// MQTT over a WebSocket.
    Web,
    /// MQTT over a WebSocket over TLS.
    WebTls,
}

impl Way {
    /// All of them, in the order of their discriminants.
    pub(crate) const ALL: [Self; 4] = [Self::Tcp, Self::Tls, Self::Web, Self::WebTls];

    /// A short fixed name, for counters.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Web => "ws",
            Self::WebTls => "wss",
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

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The peer sends no more.
    End,
}

/// See the module.
pub(crate) struct Socket {
    transport: Transport,
    web: Option<Box<Web>>,
    /// The last read found something, so the next may do so without the network saying anything.
    more: bool,
}

impl Socket {
    fn new(transport: Transport, web: Option<Web>) -> Self {
        Self {
            // TLS may hold what came with the end of the handshake.
            more: transport.is_tls(),
            transport,
            web: web.map(Box::new),
        }
    }

    /// Plain TCP, for a client that is refused before anything is read.
    pub(crate) fn plain(tcp: tokio::net::TcpStream) -> Self {
        Self::new(Transport::new(tcp), None)
    }

    /// How the client reached the hub.
    pub(crate) fn way(&self) -> Way {
        match (self.transport.is_tls(), self.web.is_some()) {
            (false, false) => Way::Tcp,
            (true, false) => Way::Tls,
            (false, true) => Way::Web,
            (true, true) => Way::WebTls,
        }
    }

    /// Takes WebSocket messages of up to so many bytes.
    pub(crate) fn take_messages(&mut self, message_max: usize) {
        if let Some(web) = &mut self.web {
            web.take_messages(message_max);
        }
    }

    /// Whether layers between MQTT and TCP hold something that is still to be sent.
    pub(crate) fn holds_output(&self) -> bool {
        self.transport.wants_write() || self.web.as_ref().is_some_and(|web| web.holds_output())
    }

    /// Ready when there is something to read, if `reading`, or room to send, if `writing`. Errors show up at the next read.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>, reading: bool, writing: bool) -> Poll<Ready> {
        if reading && self.more {
            return Poll::Ready(Ready::Read);
        }
        if writing && self.transport.poll_write_ready(cx).is_ready() {
            return Poll::Ready(Ready::Write);
        }
        if reading && self.transport.poll_read_ready(cx).is_ready() {
            return Poll::Ready(Ready::Read);
        }
        Poll::Pending
    }

    /// Appends what is there now to `input`: at most one chunk, or one WebSocket message.
    pub(crate) fn read(&mut self, input: &mut BytesMut) -> Result<Found> {
        let found = match &mut self.web {
            Some(web) => web.read(&mut self.transport, input)?,
            None => {
                let mut chunk = [0; READ_CHUNK];
                match self.transport.read(&mut chunk) {
                    Ok(0) => Found::End,
                    Ok(length) => {
                        input.extend_from_slice(&chunk[..length]);
                        Found::Bytes(length)
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Found::Nothing,
                    Err(error) => return Err(error),
                }
            }
        };
        // Over plain TCP the system says when there is more; a second read would only cost a call.
        let known = self.web.is_none() && !self.transport.is_tls();
        self.more = !known && matches!(found, Found::Bytes(_));
        Ok(found)
    }

    /// Sends of `output` what the network takes now; true when nothing is left anywhere.
    pub(crate) fn write(&mut self, output: &mut BytesMut) -> Result<bool> {
        if let Some(web) = &mut self.web {
            return web.write(&mut self.transport, output);
        }
        while !output.is_empty() {
            match self.transport.write(output) {
                Ok(0) => return Err(Error::from(ErrorKind::WriteZero)),
                Ok(sent) => output.advance(sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        would_block(self.transport.flush())
    }

    /// Says to the layers below MQTT that nothing more comes; to be followed by writes until nothing is left.
    pub(crate) fn close(&mut self) {
        if let Some(web) = &mut self.web {
            web.close(&mut self.transport);
        }
        self.transport.close();
    }

    /// Waits until room to send.
    pub(crate) async fn writable(&self) -> Result<()> {
        self.transport.writable().await
    }

    /// Ends the sending side and forgets what comes until the peer closes too: closing at once with unread input would make
    /// the system throw away the last packet.
    pub(crate) async fn linger(&mut self) -> Result<()> {
        self.transport.linger().await
    }
}

/// True when done, false when the network takes no more now.
fn would_block(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
