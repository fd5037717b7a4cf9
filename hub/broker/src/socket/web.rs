//! MQTT over a WebSocket (MQTT 5 §6): sub-protocol `mqtt`, binary messages only, at `/mqtt` or `/`.

use super::transport::Transport;
use super::{Found, would_block};
use bytes::{Bytes, BytesMut};
use std::io::{Error, ErrorKind, Result, Write};
use tungstenite::Message;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::{HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

/// Kept for each connection.
const READ_BUFFER: usize = 2 * 1024;
/// Below this nothing is sent before the flush.
const WRITE_BUFFER: usize = 64 * 1024;
/// Most that waits to be sent.
const WRITE_BUFFER_MAX: usize = 1024 * 1024;

pub(super) struct Web {
    context: WebSocketContext,
    holds_output: bool,
}

/// Bounds of one WebSocket whose messages have at most `message_max` bytes.
pub(super) fn bounds(message_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(message_max))
        .max_frame_size(Some(message_max))
}

/// Answers the upgrade.
#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
pub(super) fn greet(request: &Request, mut response: Response) -> std::result::Result<Response, ErrorResponse> {
    let refuse = |status, text: &str| {
        let mut refusal = ErrorResponse::new(Some(text.to_owned()));
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if !matches!(request.uri().path(), "/" | "/mqtt") {
        return refuse(StatusCode::NOT_FOUND, "MQTT is served at /mqtt\n");
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered.iter().filter_map(|names| names.to_str().ok());
    if !offered.any(|names| names.split(',').any(|name| name.trim() == "mqtt")) {
        return refuse(StatusCode::BAD_REQUEST, "sub-protocol mqtt is required\n");
    }
    let headers = response.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mqtt"));
    Ok(response)
}

impl Web {
    pub(super) fn new(message_max: usize) -> Self {
        Self {
            context: WebSocketContext::new(Role::Server, Some(bounds(message_max))),
            holds_output: false,
        }
    }

    pub(super) fn take_messages(&mut self, message_max: usize) {
        self.context.set_config(|config| *config = bounds(message_max));
    }

    pub(super) fn holds_output(&self) -> bool {
        self.holds_output
    }

    /// The next message that has come completely. An MQTT packet may span messages, and a message hold several packets.
    pub(super) fn read(&mut self, transport: &mut Transport, input: &mut BytesMut) -> Result<Found> {
        loop {
            match self.context.read(transport) {
                Ok(Message::Binary(bytes)) => {
                    input.extend_from_slice(&bytes);
                    return Ok(Found::Bytes(bytes.len()));
                }
                // MQTT 5 §6.0.0-1.
                Ok(Message::Text(_)) => return Err(invalid("WebSocket message is text, not binary")),
                // Answered by the next read or write.
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Found::Nothing);
                }
                Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => return Ok(Found::End),
                // A client that vanished, not one that said something wrong.
                Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return Ok(Found::End);
                }
                Err(error) => return Err(plain(error)),
            }
        }
    }

    pub(super) fn write(&mut self, transport: &mut Transport, output: &mut BytesMut) -> Result<bool> {
        if self.holds_output && !self.flush(transport)? {
            return Ok(false);
        }
        if !output.is_empty() {
            let message = Message::Binary(Bytes::from(output.split()));
            would_block(self.context.write(transport, message).map_err(plain))?;
        }
        self.flush(transport)
    }

    fn flush(&mut self, transport: &mut Transport) -> Result<bool> {
        let sent = would_block(self.context.flush(transport).map_err(plain))?;
        let done = sent && would_block(transport.flush())?;
        self.holds_output = !done;
        Ok(done)
    }

    pub(super) fn close(&mut self, transport: &mut Transport) {
        // What is wrong with it shows when the rest is sent.
        let _ = self.context.close(transport, None);
    }
}

fn plain(error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => Error::new(ErrorKind::InvalidData, other),
    }
}

fn invalid(text: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}
