//! The one thread that talks to rumqttd's router.
//!
//! Everything goes through it in order, and what is matched is matched against the filters as they are then. It may have to
//! wait for rumqttd, so it is a thread of its own with a bounded queue in front; nobody else ever waits for rumqttd.

use super::filters::slot_topic;
use super::frame::Frame;
use super::link::Gone;
use super::links::{Links, disconnect};
use super::probe;
use super::shared::{Connect, Shared};
use super::subscriber::Job;
use rumqttd::local::LinkTx;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often the feeder looks up from its queue: for integrators that have gone, and for the end.
const TICK: Duration = Duration::from_millis(250);
/// Losses are told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Feeder {
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    links: Links,
    own: LinkTx,
    own_task: JoinHandle<()>,
    told_in_queue: u64,
    next_look: Instant,
    next_probe: Instant,
    next_telling: Instant,
}

impl Feeder {
    pub fn new(shared: Shared, connect: Connect, jobs: Receiver<Job>) -> Result<Self, Gone> {
        let shared = Arc::new(shared);
        let (mut own, own_rx) = connect("feeder")?;
        own.subscribe(probe::TOPIC)?;
        let own_task = shared.runtime.spawn(probe::listen(own_rx, Arc::clone(&shared.echoes)));
        let now = Instant::now();
        Ok(Self {
            links: Links::new(Arc::clone(&shared), connect),
            shared,
            jobs,
            own,
            own_task,
            told_in_queue: 0,
            next_look: now,
            next_probe: now,
            next_telling: now + TELL_EVERY,
        })
    }

    /// Works until it is told to stop, or rumqttd's router is gone.
    pub fn run(mut self) -> Result<(), Gone> {
        while !self.shared.stop.is_cancelled() {
            let patience = self.next_look.saturating_duration_since(Instant::now());
            match self.jobs.recv_timeout(patience) {
                Ok(job) => self.take(job)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= self.next_look {
                self.look()?;
            }
        }
        // rumqttd's own thread cannot be ended: it stays, idle, with its links gone.
        self.links.disconnect();
        self.own_task.abort();
        disconnect(&mut self.own, &self.own_task);
        Ok(())
    }

    fn take(&mut self, job: Job) -> Result<(), Gone> {
        match job {
            Job::Publish(frame) => self.publish(frame)?,
            Job::Open {
                tenant,
                name,
                filters,
                answer,
            } => self.links.open(tenant, name, filters, answer)?,
            Job::Add {
                state,
                filter,
                qos,
                answer,
            } => {
                let done = |added| drop(answer.send(added));
                match self.links.add(&state, filter, qos) {
                    Ok(Some(slot)) => self.links.subscribe(state.link, slot, Box::new(move || done(Ok(()))))?,
                    Ok(None) => done(Ok(())),
                    Err(refused) => done(Err(refused)),
                }
            }
            Job::Remove { state, filter, answer } => {
                let removed = self.links.remove(&state, &filter)?;
                let _ = answer.send(removed);
            }
            Job::Look => self.links.reclaim()?,
            #[cfg(test)]
            Job::Raw(topic) => drop(self.own.publish(topic, "")?),
            #[cfg(test)]
            Job::Hold(held) => {
                let (mut tx, rx) = (self.links.connect)("holder")?;
                std::thread::spawn(move || {
                    // rumqttd's thread waits for a link's buffer when it has heard that there is something in it.
                    while tx.publish("held", "").is_ok() {
                        let buffer = tx.buffer();
                        if !buffer.is_empty() {
                            let _ = held.recv();
                            break;
                        }
                    }
                    drop(rx);
                });
            }
        }
        Ok(())
    }

    fn publish(&mut self, frame: Frame) -> Result<(), Gone> {
        self.shared.queued.messages.fetch_sub(1, Ordering::AcqRel);
        self.shared.queued.bytes.fetch_sub(frame.len(), Ordering::AcqRel);
        let (tenant, topic) = frame.address();
        let matching = self.links.slots.number(tenant, topic);
        let Some(((last, number), others)) = matching.split_last() else {
            return Ok(());
        };
        self.shared.totals.published.fetch_add(1, Ordering::Relaxed);
        for (slot, number) in others {
            self.own
                .publish(slot_topic(*slot), frame.clone().seal(*slot, *number))?;
        }
        self.own.publish(slot_topic(*last), frame.seal(*last, *number))?;
        Ok(())
    }

    fn look(&mut self) -> Result<(), Gone> {
        let now = Instant::now();
        self.next_look = now + TICK.min(self.shared.limits.probe_every);
        self.links.reclaim()?;
        if now >= self.next_probe {
            self.next_probe = now + self.shared.limits.probe_every;
            self.own.publish(probe::TOPIC, probe::PAYLOAD)?;
        }
        if now >= self.next_telling {
            self.next_telling = now + TELL_EVERY;
            self.links.tell_losses();
            self.tell_lost_in_queue();
        }
        Ok(())
    }

    fn tell_lost_in_queue(&mut self) {
        let lost = self.shared.totals.lost_in_queue.load(Ordering::Relaxed);
        if lost > self.told_in_queue {
            tracing::warn!(
                lost = lost - self.told_in_queue,
                lost_ever = lost,
                "messages for integrators dropped: they came too fast"
            );
            self.told_in_queue = lost;
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.own_task.abort();
    }
}
