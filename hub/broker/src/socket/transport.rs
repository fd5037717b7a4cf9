//! TCP, with TLS over it or without, as non-blocking `Read` and `Write`.

use rustls::ServerConnection;
use std::io::{BufRead, Error, ErrorKind, Read, Result, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Most bytes that TLS holds unsent.
const TLS_BUFFER_MAX: usize = 32 * 1024;

pub(super) struct Transport {
    tcp: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// What the last refused call was: says what to wait for in a handshake.
    waits_to_write: bool,
}

impl Transport {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            tls: None,
            waits_to_write: false,
        }
    }

    pub(super) fn start_tls(&mut self, mut connection: ServerConnection) {
        connection.set_buffer_limit(Some(TLS_BUFFER_MAX));
        self.tls = Some(Box::new(connection));
    }

    pub(super) fn tls(&self) -> Option<&ServerConnection> {
        self.tls.as_deref()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.tcp.poll_read_ready(cx)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.tcp.poll_write_ready(cx)
    }

    pub(super) async fn writable(&self) -> Result<()> {
        self.tcp.writable().await
    }

    /// Waits for what the last refused call wanted.
    pub(super) async fn ready(&self) -> Result<()> {
        let interest = if self.waits_to_write || self.wants_write() {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        self.tcp.ready(interest).await.map(drop)
    }

    /// One step of the TLS handshake; true when it is done.
    pub(super) fn shake_hands(&mut self) -> Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            while tls.wants_write() {
                self.waits_to_write = true;
                tls.write_tls(&mut Now(&mut self.tcp))?;
                self.waits_to_write = false;
            }
            if !tls.is_handshaking() {
                return Ok(true);
            }
            if tls.read_tls(&mut Now(&mut self.tcp))? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            process(tls, &mut self.tcp)?;
        }
    }

    /// First byte of what the client says inside TLS, without taking it.
    pub(super) fn first_byte(&mut self) -> Result<Option<u8>> {
        let Some(tls) = &mut self.tls else { return Ok(None) };
        loop {
            match tls.reader().fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
            tls.read_tls(&mut Now(&mut self.tcp))?;
            process(tls, &mut self.tcp)?;
        }
    }

    /// Says that nothing more comes (RFC 8446 §6.1).
    pub(super) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }

    pub(super) async fn linger(&mut self) -> Result<()> {
        self.tcp.shutdown().await?;
        let mut bin = [0; 512];
        loop {
            self.tcp.readable().await?;
            match self.tcp.try_read(&mut bin) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.waits_to_write = false;
        let Some(tls) = &mut self.tls else {
            return Now(&mut self.tcp).read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Cut off without a closing alert: as much an end as any other, MQTT knows by itself where it stands.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            tls.read_tls(&mut Now(&mut self.tcp))?;
            process(tls, &mut self.tcp)?;
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let outcome = match &mut self.tls {
            None => Now(&mut self.tcp).write(bytes),
            Some(tls) => match tls.writer().write(bytes)? {
                0 => {
                    while tls.wants_write() {
                        tls.write_tls(&mut Now(&mut self.tcp))?;
                    }
                    tls.writer().write(bytes)
                }
                taken => Ok(taken),
            },
        };
        self.waits_to_write = outcome.is_err();
        outcome
    }

    fn flush(&mut self) -> Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        self.waits_to_write = true;
        while tls.wants_write() {
            tls.write_tls(&mut Now(&mut self.tcp))?;
        }
        self.waits_to_write = false;
        Ok(())
    }
}

/// Works off what TLS received. Where that breaks the protocol, the alert is sent before the error is given back.
fn process(tls: &mut ServerConnection, tcp: &mut TcpStream) -> Result<()> {
    let outcome = tls.process_new_packets();
    if let Err(error) = outcome {
        // The peer may be gone; then nobody needs the alert.
        let _ = tls.write_tls(&mut Now(tcp));
        return Err(Error::new(ErrorKind::InvalidData, error));
    }
    Ok(())
}

/// What the socket does at once. Nobody is woken by what it refuses: a task that waits asks for readiness again.
struct Now<'a>(&'a mut TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.0).poll_read(&mut cx, &mut buffer) {
            Poll::Ready(outcome) => outcome.map(|()| buffer.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut *self.0).poll_write(&mut cx, bytes) {
            Poll::Ready(Ok(0)) if !bytes.is_empty() => Err(ErrorKind::WriteZero.into()),
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
