//! An integrator's side: what matches its subscriptions, and what is retained when it subscribes.

use super::client::Role;
use super::{Connection, Done};
use crate::router::{Delivery as Message, RouterError, Subscriber};
use crate::session::{CloseReason, Delivery, Outbound};
use crate::work::Shared;
use agent_sdk_wire::topic::covers;
use bytes::Bytes;
use hub_core::id::TenantId;
use hub_store::session::RetainedState;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::timeout;

/// States read from the store at one time.
const PAGE: usize = 32;

/// What a connection knows of an integrator. Bounded by the subscriptions of one session.
#[derive(Default)]
pub(super) struct IntegratorSide {
    subscriber: Option<Subscriber>,
    /// Subscriptions to change, in order; one for each filter.
    changes: VecDeque<Change>,
    /// Filters that the router has, or is about to.
    held: Vec<String>,
    /// The subscriber is away to be changed, or states are read.
    runs: bool,
    /// Filters, with whether messages keep their retain flag.
    filters: Vec<(String, bool)>,
    /// What the session had no room for.
    waiting: VecDeque<Message>,
}

enum Change {
    Add {
        filter: String,
        qos: u8,
        retained: bool,
    },
    Remove {
        filter: String,
    },
    /// The next page of retained states.
    States {
        filter: String,
        qos: u8,
        after: Option<String>,
    },
}

/// What came of a change.
pub(super) struct Changed {
    subscriber: Option<Subscriber>,
    outcome: Result<(), RouterError>,
    next: Option<Change>,
    states: Vec<Message>,
}

impl Change {
    fn filter(&self) -> &str {
        match self {
            Self::Add { filter, .. } | Self::Remove { filter } | Self::States { filter, .. } => filter,
        }
    }

    fn brings_states(&self) -> bool {
        matches!(self, Self::Add { retained: true, .. } | Self::States { .. })
    }
}

impl IntegratorSide {
    /// Puts a change in the place of what waits for the same filter, so that no client piles them up.
    fn put(&mut self, change: Change) {
        let mut states = false;
        self.changes.retain(|waiting| {
            let same = waiting.filter() == change.filter();
            states |= same && waiting.brings_states();
            !same
        });
        match change {
            Change::Add { filter, qos, retained } => {
                let retained = retained || states;
                self.changes.push_back(Change::Add { filter, qos, retained });
            }
            // First: room for those that come.
            change if self.held.iter().any(|held| held == change.filter()) => self.changes.push_front(change),
            _ => {}
        }
    }
}

impl Connection {
    fn integrator(&mut self) -> Option<&mut IntegratorSide> {
        match self.client.as_mut().map(|client| &mut client.role) {
            Some(Role::Integrator(integrator)) => Some(integrator),
            _ => None,
        }
    }

    pub(super) fn subscribed(&mut self, filter: String, qos: u8, retained: bool, retain_as_published: bool) {
        let Some(integrator) = self.integrator() else { return };
        integrator.filters.retain(|(known, _)| *known != filter);
        integrator.filters.push((filter.clone(), retain_as_published));
        integrator.put(Change::Add { filter, qos, retained });
        self.change_next();
    }

    pub(super) fn unsubscribed(&mut self, filter: String) {
        let Some(integrator) = self.integrator() else { return };
        integrator.filters.retain(|(known, _)| *known != filter);
        integrator.put(Change::Remove { filter });
        self.change_next();
    }

    fn change_next(&mut self) {
        let Some(client) = self.client.as_mut() else { return };
        let Role::Integrator(integrator) = &mut client.role else {
            return;
        };
        // The next page waits until the last one is on its way.
        if integrator.runs || !integrator.waiting.is_empty() {
            return;
        }
        let Some(change) = integrator.changes.pop_front() else {
            return;
        };
        integrator.runs = true;
        integrator
            .held
            .retain(|held| held != change.filter() || matches!(change, Change::States { .. }));
        if let Change::Add { filter, .. } = &change {
            integrator.held.push(filter.clone());
        }
        let subscriber = integrator.subscriber.take();
        let (tenant, name) = (client.tenant.clone(), client.name.clone());
        let shared = Arc::clone(&self.shared);
        self.running.push(Box::pin(async move {
            Done::Changed(shared.change(&tenant, &name, subscriber, change).await)
        }));
    }

    pub(super) fn changed(&mut self, changed: Changed) {
        let Changed {
            subscriber,
            outcome,
            next,
            states,
        } = changed;
        let Some(integrator) = self.integrator() else { return };
        integrator.runs = false;
        integrator.subscriber = subscriber;
        integrator.waiting.extend(states);
        // Unless the client has changed its mind about the filter meanwhile.
        if let Some(next) = next
            && integrator.filters.iter().any(|(filter, _)| filter == next.filter())
            && !integrator.changes.iter().any(|change| change.filter() == next.filter())
        {
            integrator.changes.push_front(next);
        }
        if let Err(error) = outcome {
            self.note_refused("router", &error);
            return self
                .session
                .handle_close(CloseReason::Quota("subscriptions of integrators"));
        }
        self.deliver();
    }

    /// The next message from the router, while there is room for it.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let keeps_up = self.wire.keeps_up();
        let Some(integrator) = self.integrator() else {
            return Poll::Pending;
        };
        match &mut integrator.subscriber {
            Some(subscriber) if keeps_up && integrator.waiting.is_empty() => pin!(subscriber.recv()).poll(cx),
            _ => Poll::Pending,
        }
    }

    pub(super) fn message(&mut self, message: Option<Message>) {
        let Some(mut message) = message else {
            // The router has ended; the hub is about to.
            return self.session.handle_close(CloseReason::Stopping);
        };
        let Some(integrator) = self.integrator() else { return };
        let keeps = |(filter, keeps): &(String, bool)| *keeps && covers(filter, &message.topic);
        message.retain = message.retain && integrator.filters.iter().any(keeps);
        integrator.waiting.push_back(message);
        self.deliver();
    }

    /// Gives the session what it has room for; looked at again after each packet of the client.
    pub(super) fn deliver(&mut self) {
        while self.wire.keeps_up()
            && let Some(next) = self.integrator().and_then(|integrator| integrator.waiting.pop_front())
        {
            let expires_in_s = match next.expires_ms.map(|at| self.shared.seconds_left(at)) {
                // Not begun to be sent in time: nobody gets it any more (MQTT 5 §3.3.2.3.3).
                Some(0) => {
                    self.shared.counters.count_refused("expired");
                    continue;
                }
                left => left,
            };
            let message = Outbound::Publish {
                topic: next.topic.clone(),
                payload: next.payload.clone(),
                qos: next.qos,
                retain: next.retain,
                expires_in_s,
                properties: next.properties.clone(),
            };
            if self.session.handle_message(message) == Delivery::Full {
                if let Some(integrator) = self.integrator() {
                    integrator.waiting.push_front(next);
                }
                return;
            }
            self.transmit();
        }
        self.change_next();
    }
}

impl Shared {
    async fn change(
        &self,
        tenant: &TenantId,
        name: &str,
        mut subscriber: Option<Subscriber>,
        change: Change,
    ) -> Changed {
        let (mut next, mut states) = (None, Vec::new());
        let outcome = match change {
            Change::Add { filter, qos, retained } => {
                let outcome = match &mut subscriber {
                    Some(subscriber) => subscriber.add(&filter, qos).await,
                    None => {
                        let filters = [(filter.clone(), qos)];
                        let subscribed = self.router.subscribe(tenant.as_str(), name, &filters).await;
                        subscribed.map(|new| subscriber = Some(new))
                    }
                };
                let after = None;
                next = retained.then_some(Change::States { filter, qos, after });
                outcome
            }
            Change::Remove { filter } => match &mut subscriber {
                Some(subscriber) => subscriber.remove(&filter).await.map(drop),
                None => Ok(()),
            },
            Change::States { filter, qos, after } => {
                let page = self.states(tenant, after.as_deref()).await;
                let last = page.last().map(|state| state.device.clone());
                if let Some(after) = last.filter(|_| page.len() == PAGE) {
                    let filter = filter.clone();
                    let after = Some(after);
                    next = Some(Change::States { filter, qos, after });
                }
                states = page
                    .into_iter()
                    .filter_map(|state| retained(&filter, qos, state))
                    .collect();
                Ok(())
            }
        };
        Changed {
            subscriber,
            outcome,
            next,
            states,
        }
    }

    async fn states(&self, tenant: &TenantId, after: Option<&str>) -> Vec<RetainedState> {
        let asked = self.store.retained_states(tenant, after, PAGE);
        match timeout(self.config.store_patience, asked).await {
            Ok(Ok(states)) => states,
            Ok(Err(error)) => {
                let about = crate::refusals::About {
                    tenant: Some(tenant.as_str()),
                    ..Default::default()
                };
                self.refusals.note("retained_states", about, &error);
                Vec::new()
            }
            Err(_) => {
                let about = crate::refusals::About {
                    tenant: Some(tenant.as_str()),
                    ..Default::default()
                };
                self.refusals.note("retained_states", about, &"not read in time");
                Vec::new()
            }
        }
    }
}

fn retained(filter: &str, qos: u8, state: RetainedState) -> Option<Message> {
    let topic = format!("d/{}/s", state.device);
    covers(filter, &topic).then(|| Message {
        topic,
        payload: Bytes::from(state.payload),
        qos,
        retain: true,
        properties: Bytes::new(),
        expires_ms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(filter: &str, retained: bool) -> Change {
        let filter = filter.to_owned();
        Change::Add {
            filter,
            qos: 1,
            retained,
        }
    }

    fn remove(filter: &str) -> Change {
        let filter = filter.to_owned();
        Change::Remove { filter }
    }

    #[test]
    fn changes_do_not_pile_up() {
        let mut integrator = IntegratorSide::default();
        integrator.held.push("d/+/s".into());
        for n in 0..10_000 {
            integrator.put(add("d/+/s", n == 0));
            // Of other filters nothing has come to the router.
            integrator.put(add(&format!("d/{n}/t"), true));
            integrator.put(remove(&format!("d/{n}/t")));
        }
        assert_eq!(integrator.changes.len(), 1);
        assert!(integrator.changes.iter().all(Change::brings_states), "asked for once");
        integrator.put(add("d/+/e", false));
        integrator.put(remove("d/+/s"));
        let order: Vec<_> = integrator.changes.iter().map(Change::filter).collect();
        assert_eq!(order, ["d/+/s", "d/+/e"], "room first");
    }
}
