//! Commands from the store to connected devices. The store holds a command until the device replies or it expires; this
//! only carries: at least once, again after each connection, recognised by the request id.

use crate::registry::Registry;
use hub_core::clock::CivilClock;
use hub_core::error_chain::in_full;
use hub_core::id::ApplianceId;
use hub_store::DoorStore;
use hub_store::telemetry::{COMMANDS_BATCH_MAX, Command};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// Devices for which commands may wait: at most the connected ones, each in its turn.
#[derive(Debug, Default)]
pub(crate) struct Dispatcher {
    due: Mutex<Due>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Due {
    /// In the order in which they are looked at.
    turns: VecDeque<ApplianceId>,
    /// The same.
    waiting: HashSet<ApplianceId>,
}

impl Dispatcher {
    /// Look for commands of this device, behind those that wait already.
    pub(crate) fn look(&self, appliance: ApplianceId) {
        let mut due = self.lock();
        if due.waiting.insert(appliance) {
            due.turns.push_back(appliance);
        }
        drop(due);
        self.wake.notify_one();
    }

    /// Those that have waited longest, at most `most`.
    fn gather(&self, most: usize) -> Vec<ApplianceId> {
        std::iter::from_fn(|| self.next()).take(most).collect()
    }

    fn next(&self) -> Option<ApplianceId> {
        let mut due = self.lock();
        let next = due.turns.pop_front()?;
        due.waiting.remove(&next);
        Some(next)
    }

    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the workers need.
#[derive(Clone)]
pub(crate) struct Carrier {
    pub(crate) store: Arc<dyn DoorStore>,
    pub(crate) clock: Arc<dyn CivilClock>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    /// For each question to the store.
    pub(crate) patience: Duration,
}

impl Carrier {
    /// Waits for newly queued commands, without end.
    pub(crate) async fn watch(self) {
        loop {
            let asked = Instant::now();
            let queued = timeout(WATCH + self.patience, self.store.command_queued(WATCH)).await;
            let queued = queued.unwrap_or_default();
            if queued.is_empty() && asked.elapsed() < WATCH / 2 {
                // The store came back early with nothing: it is in trouble, so it is not asked in a tight loop.
                sleep(RETRY).await;
            }
            for appliance in queued {
                if self.registry.mailbox(appliance).is_some() {
                    self.dispatcher.look(appliance);
                }
            }
        }
    }

    /// Waits for attributes told to devices, and lets connected ones know, without end.
    pub(crate) async fn watch_attributes(self) {
        loop {
            let asked = Instant::now();
            let told = timeout(WATCH + self.patience, self.store.attributes_shared(WATCH)).await;
            let told = told.unwrap_or_default();
            if told.is_empty() && asked.elapsed() < WATCH / 2 {
                sleep(RETRY).await;
            }
            for appliance in told {
                if let Some(mailbox) = self.registry.mailbox(appliance) {
                    mailbox.post(|letters| letters.attributes_changed = true);
                }
            }
        }
    }

    /// Brings waiting commands to connected devices, to all together that are due. Never returns.
    pub(crate) async fn carry(self) {
        loop {
            let due = self.dispatcher.gather(COMMANDS_BATCH_MAX);
            if due.is_empty() {
                self.dispatcher.wake.notified().await;
                continue;
            }
            if !self.bring(&due).await {
                due.into_iter().for_each(|appliance| self.dispatcher.look(appliance));
                sleep(RETRY).await;
            }
        }
    }

    /// Whether nothing is left to try.
    async fn bring(&self, due: &[ApplianceId]) -> bool {
        let connected = due.iter().filter_map(|id| Some((*id, self.registry.mailbox(*id)?)));
        let connected: Vec<_> = connected.collect();
        if connected.is_empty() {
            return true;
        }
        let asked: Vec<ApplianceId> = connected.iter().map(|(appliance, _)| *appliance).collect();
        let waiting = self.store.commands_waiting(&asked, self.clock.now());
        let failed = match timeout(self.patience, waiting).await {
            Ok(Ok(waiting)) => {
                let mut commands: HashMap<ApplianceId, Vec<Command>> = HashMap::new();
                for (appliance, command) in waiting {
                    commands.entry(appliance).or_default().push(command);
                }
                for (appliance, mailbox) in connected {
                    if let Some(commands) = commands.remove(&appliance) {
                        mailbox.post(|letters| letters.commands = Some(commands));
                    }
                }
                return true;
            }
            Ok(Err(error)) => in_full(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(devices = asked.len(), failed, "commands not read, trying again");
        false
    }
}

/// How long the store is asked to wait for new commands.
const WATCH: Duration = Duration::from_secs(10);
/// Pause after something did not work.
const RETRY: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_that_asks_again_and_again_waits_its_turn() {
        let dispatcher = Dispatcher::default();
        let (eager, calm) = (ApplianceId(1), [ApplianceId(3), ApplianceId(2)]);
        dispatcher.look(eager);
        calm.into_iter().for_each(|appliance| dispatcher.look(appliance));
        let mut order = Vec::new();
        while let Some(next) = dispatcher.next() {
            order.push(next);
            if order.len() < 4 {
                dispatcher.look(eager);
                dispatcher.look(eager);
            }
        }
        assert_eq!(order[..4], [eager, calm[0], calm[1], eager]);
        assert!(dispatcher.lock().waiting.is_empty());
    }
}
