//! Questions of connections that are put to the store together: the first goes at once, and what comes while it is answered,
//! or right after, goes with the next. So batches grow with the load by themselves, and a fleet that comes back costs a few
//! round trips.

use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Pause behind a batch that was not full: what comes meanwhile goes with the next. Many small questions would take the
/// processors from those that ask; nobody notices so short a wait, and a crowd fills its batches and waits for nothing.
pub(crate) const GATHER: Duration = Duration::from_millis(5);

/// A question, and who waits for its answer.
pub(crate) type Question<Q, A> = (Q, oneshot::Sender<A>);

/// Where connections ask.
#[derive(Debug)]
pub(crate) struct Asks<Q, A>(mpsc::Sender<Question<Q, A>>);

impl<Q, A> Clone for Asks<Q, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What they have asked.
#[derive(Debug)]
pub(crate) struct Asked<Q, A>(Mutex<mpsc::Receiver<Question<Q, A>>>);

/// Both ends, with room for `waiting_max` questions.
pub(crate) fn channel<Q, A>(waiting_max: usize) -> (Asks<Q, A>, Asked<Q, A>) {
    let (sender, receiver) = mpsc::channel(waiting_max.max(1));
    (Asks(sender), Asked(Mutex::new(receiver)))
}

impl<Q, A> Asks<Q, A> {
    /// The answer. `None` where there is no room, or the question was given up. The caller sets a time for it.
    pub(crate) async fn ask(&self, question: Q) -> Option<A> {
        let (sender, answer) = oneshot::channel();
        self.0.try_send((question, sender)).ok()?;
        answer.await.ok()
    }
}

impl<Q, A> Asked<Q, A> {
    /// At most `most` of what waits, once something does; `None` when nobody can ask any more. Those that have left meanwhile
    /// need no answer, so there may be nothing to answer.
    pub(crate) async fn next(&self, most: usize) -> Option<Vec<Question<Q, A>>> {
        let mut batch = Vec::new();
        if self.0.lock().await.recv_many(&mut batch, most).await == 0 {
            return None;
        }
        batch.retain(|(_, asker)| !asker.is_closed());
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::channel;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    #[tokio::test]
    async fn what_waits_is_asked_together_but_for_who_has_left() {
        let (asks, asked) = channel::<u32, u32>(3);
        let answers = async {
            let mut waiting: Vec<_> = (0..4).map(|n| Box::pin(asks.ask(n))).collect();
            poll_fn(|cx| {
                for (n, ask) in waiting.iter_mut().enumerate() {
                    // There is room for three.
                    let expected = if n == 3 { Poll::Ready(None) } else { Poll::Pending };
                    assert_eq!(ask.as_mut().poll(cx), expected);
                }
                Poll::Ready(())
            })
            .await;
            waiting.truncate(3);
            drop(waiting.remove(1));
            let first = asked.next(2).await.unwrap();
            let numbers: Vec<u32> = first.iter().map(|(n, _)| *n).collect();
            assert_eq!(numbers, [0], "of two one has left");
            let second = asked.next(2).await.unwrap();
            for (n, asker) in first.into_iter().chain(second) {
                asker.send(n + 10).unwrap();
            }
            let mut answers = Vec::new();
            for ask in waiting {
                answers.push(ask.await);
            }
            answers
        };
        assert_eq!(answers.await, [Some(10), Some(12)]);
        drop(asks);
        assert!(asked.next(2).await.is_none(), "nobody can ask any more");
    }

    #[tokio::test]
    async fn who_asks_nobody_is_told_so() {
        let (asks, asked) = channel::<u32, u32>(1);
        let mut given_up = pin!(asks.ask(1));
        let polled = poll_fn(|cx| Poll::Ready(given_up.as_mut().poll(cx))).await;
        assert_eq!(polled, Poll::Pending);
        drop(asked);
        assert_eq!(given_up.await, None);
        assert_eq!(asks.ask(2).await, None);
    }
}
