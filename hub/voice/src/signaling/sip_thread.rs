//! A thread of its own for the SIP library's loops: one of them that never ends a turn takes no worker from the rest of the hub,
//! and keeps the process from neither answering nor ending.

use std::io;
use std::sync::mpsc;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// Starts the thread, which ends with `stop`; what is spawned on the handle runs there.
pub(super) fn start(stop: CancellationToken) -> io::Result<Handle> {
    let (sender, started) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("sip".into()).spawn(move || {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                // Nobody waits for it any more only while the process ends.
                let _ = sender.send(Ok(runtime.handle().clone()));
                runtime.block_on(stop.cancelled());
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        }
    })?;
    // Within a moment: it makes a few files and nothing else.
    started
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread ended at once")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn a_task_that_spins_there_holds_nobody_up_here() {
        let (stop, ends) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let thread = start(stop.clone()).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let end = Arc::clone(&ends);
        let spins = thread.spawn(async move {
            begun.send(()).unwrap();
            while !end.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        begins.await.unwrap();
        // On one thread, neither would ever come.
        let waits = tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>());
        waits.await.unwrap_err();
        assert!(!spins.is_finished());
        stop.cancel();
        ends.store(true, Ordering::Relaxed);
    }
}
