//! A stream that ends when its reader takes nothing for too long: hyper has deadlines for what it reads, not for what it writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream whose writes fail when nothing could be written for a while.
pub(crate) struct WriteDeadline<S> {
    stream: S,
    patience: Duration,
    /// There while a write waits for its reader.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Counts streams that ended so.
    unread: Arc<AtomicU64>,
}

impl<S> WriteDeadline<S> {
    pub(crate) fn new(stream: S, patience: Duration, unread: Arc<AtomicU64>) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
            unread,
        }
    }

    fn judge<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        match stalled.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.stalled = None;
                self.unread.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_slow_reader_is_served_and_one_that_reads_nothing_is_cut_off() {
        let unread = Arc::new(AtomicU64::new(0));
        let (mut reader, writer) = tokio::io::duplex(4);
        let mut writer = WriteDeadline::new(writer, Duration::from_secs(1), unread.clone());
        let sent = tokio::spawn(async move {
            writer.write_all(b"eight by").await.unwrap();
            writer
        });
        let mut eight = [0; 8];
        reader.read_exact(&mut eight).await.unwrap();
        assert_eq!(&eight, b"eight by");
        let mut writer = sent.await.unwrap();
        assert_eq!(unread.load(Ordering::Relaxed), 0);

        let cut = timeout(Duration::from_secs(10), writer.write_all(b"eight by")).await;
        let error = cut.expect("in time").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(unread.load(Ordering::Relaxed), 1);
        drop(reader);
    }
}
