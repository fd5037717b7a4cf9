//! What other tasks tell a connection. Several commits between two looks make one wake-up, and an idle connection's
//! mailbox holds nothing.

use hub_store::telemetry::{Command, Ingested};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The same client connected again.
    TakenOver,
    /// Its access was taken away or changed.
    Revoked,
    /// A publish could not be committed in time.
    CommitFailed,
}

/// A publish that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// What the waiter knows it by.
    pub(crate) number: u64,
    /// What became of it.
    pub(crate) outcome: Ingested,
}

/// Everything that came since the last look.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    /// Committed publishes: at most as many as are in flight.
    pub(crate) settled: Vec<Settled>,
    /// Commands that wait for the device, as the store has them: newer replace older.
    pub(crate) commands: Option<Vec<Command>>,
    /// The device's shared attributes changed.
    pub(crate) attributes_changed: bool,
    /// The first reason to end.
    pub(crate) cut: Option<Cut>,
    /// The hub stops.
    pub(crate) stopping: bool,
}

#[derive(Debug, Default)]
struct Inner {
    letters: Letters,
    some: bool,
    waker: Option<Waker>,
}

/// One connection's mailbox.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    over: AtomicBool,
}

impl Mailbox {
    /// Ready with what came, once there is something.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Letters> {
        let mut inner = self.lock();
        if inner.some {
            inner.some = false;
            return Poll::Ready(std::mem::take(&mut inner.letters));
        }
        match &mut inner.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Puts something in.
    pub(crate) fn post(&self, write: impl FnOnce(&mut Letters)) {
        let mut inner = self.lock();
        write(&mut inner.letters);
        inner.some = true;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells the connection to end.
    pub(crate) fn cut(&self, why: Cut) {
        self.post(|letters| {
            letters.cut.get_or_insert(why);
        });
    }

    /// The connection is over, although somebody may still read its letters: the device sends again what it was not told
    /// to be stored, so nothing of it may be tried again. Called before the device's next connection can begin.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for commits: a connection, as long as it is there.
#[derive(Debug, Clone)]
pub(crate) struct Waiter(std::sync::Weak<Mailbox>);

impl Waiter {
    pub(crate) fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self(Arc::downgrade(mailbox))
    }

    /// These are stored.
    pub(crate) fn committed(&self, settled: Vec<Settled>) {
        let Some(mailbox) = self.0.upgrade() else { return };
        mailbox.post(|letters| {
            if letters.settled.is_empty() {
                letters.settled = settled;
            } else {
                letters.settled.extend(settled);
            }
        });
    }

    /// Something was given up.
    pub(crate) fn failed(&self) {
        if let Some(mailbox) = self.0.upgrade() {
            mailbox.cut(Cut::CommitFailed);
        }
    }

    /// The connection has ended; what it sent and was not told to be stored, it sends again.
    pub(crate) fn is_gone(&self) -> bool {
        self.0
            .upgrade()
            .is_none_or(|mailbox| mailbox.over.load(Ordering::Acquire))
    }
}
