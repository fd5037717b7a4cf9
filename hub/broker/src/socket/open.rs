//! From an accepted TCP connection to a socket that speaks MQTT next: the first byte tells which layers there are.

use super::tls::Tls;
use super::transport::Transport;
use super::web::{self, Web};
use super::{HandshakeError, Socket};
use crate::session::ClientCertificate;
use hub_core::id::TenantId;
use std::io::ErrorKind;
use tokio::net::TcpStream;
use tungstenite::handshake::server::ServerHandshake;
use tungstenite::{HandshakeError as WebError, WebSocket};

/// First byte of a TLS record that begins a handshake (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// First byte of an HTTP upgrade.
const HTTP_GET: u8 = b'G';

/// A socket that speaks MQTT next.
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    /// Whom the client certificate names, if one was shown.
    pub(crate) certified: Option<ClientCertificate>,
}

/// Does the handshakes. Has no deadline of its own. `certify` is told by whose authority a client comes in, before that is
/// checked for the last time: a change of authorities either is seen here or finds the client there.
pub(crate) async fn open(
    tcp: TcpStream,
    tls: Option<&Tls>,
    message_max: usize,
    certify: impl Fn(&TenantId),
) -> Result<Opened, HandshakeError> {
    let first = peek(&tcp).await?;
    let mut transport = Transport::new(tcp);
    let (first, certified) = match tls {
        None if first == TLS_HANDSHAKE => return Err(HandshakeError::TlsOnPlain),
        None => (first, None),
        Some(_) if first != TLS_HANDSHAKE => return Err(HandshakeError::PlainOnTls),
        Some(tls) => {
            let certified = shake_hands(&mut transport, tls, certify).await?;
            (first_inside(&mut transport).await?, certified)
        }
    };
    let socket = if first == HTTP_GET {
        let transport = upgrade(transport, message_max).await?;
        Socket::new(transport, Some(Web::new(message_max)))
    } else {
        Socket::new(transport, None)
    };
    Ok(Opened { socket, certified })
}

async fn peek(tcp: &TcpStream) -> Result<u8, HandshakeError> {
    let mut first = [0];
    match tcp.peek(&mut first).await {
        Ok(1) => Ok(first[0]),
        _ => Err(HandshakeError::Lost),
    }
}

async fn shake_hands(
    transport: &mut Transport,
    tls: &Tls,
    certify: impl Fn(&TenantId),
) -> Result<Option<ClientCertificate>, HandshakeError> {
    let current = tls.current();
    transport.start_tls(current.accept().map_err(HandshakeError::Tls)?);
    loop {
        match transport.shake_hands() {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(tls_error(error)),
        }
        transport.ready().await.map_err(|_| HandshakeError::Lost)?;
    }
    let chain = transport.tls().and_then(|tls| tls.peer_certificates());
    let Some(chain) = chain else { return Ok(None) };
    // Asked again after the handshake: a resumed session shows a chain that nobody has checked since.
    certify(&tls.current().certified(chain)?.tenant);
    tls.current().certified(chain).map(Some)
}

async fn first_inside(transport: &mut Transport) -> Result<u8, HandshakeError> {
    loop {
        match transport.first_byte() {
            Ok(Some(first)) => return Ok(first),
            Ok(None) => return Err(HandshakeError::Lost),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(tls_error(error)),
        }
        transport.ready().await.map_err(|_| HandshakeError::Lost)?;
    }
}

fn tls_error(error: std::io::Error) -> HandshakeError {
    let found = error
        .into_inner()
        .and_then(|inner| inner.downcast::<rustls::Error>().ok());
    match found.map(|error| *error) {
        Some(error @ (rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_))) => {
            HandshakeError::Certificate(error)
        }
        Some(error) => HandshakeError::Tls(error),
        None => HandshakeError::Lost,
    }
}

async fn upgrade(transport: Transport, message_max: usize) -> Result<Transport, HandshakeError> {
    let bounds = Some(web::bounds(message_max));
    let mut outcome = ServerHandshake::start(transport, web::greet, bounds).handshake();
    loop {
        match outcome {
            Ok(socket) => return Ok(WebSocket::into_inner(socket)),
            Err(WebError::Failure(error)) => return Err(HandshakeError::Web(Box::new(error))),
            Err(WebError::Interrupted(waiting)) => {
                let transport = waiting.get_ref().get_ref();
                transport.ready().await.map_err(|_| HandshakeError::Lost)?;
                outcome = waiting.handshake();
            }
        }
    }
}
