//! An integrator's side: what matches its subscriptions, and what is retained when it subscribes.

use super::client::Side;
use super::integrator_side::{Change, IntegratorSide};
use super::{Connection, Done};
use crate::router::{Delivery as Message, RouterError, Subscriber};
use crate::session::{CloseReason, Delivery, Outbound};
use crate::work::Shared;
use agent_sdk_wire::topic::covers;
use bytes::Bytes;
use hub_core::id::TenantId;
use hub_store::session::RetainedState;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::timeout;

/// States read from the store at one time.
const PAGE: usize = 32;

/// What came of a change.
pub(super) struct Changed {
    subscriber: Option<Subscriber>,
    outcome: Result<(), RouterError>,
    next: Option<Change>,
    states: Vec<Message>,
}

impl Connection {
    fn integrator(&mut self) -> Option<&mut IntegratorSide> {
        match self.client.as_mut().map(|client| &mut client.side) {
            Some(Side::Integrator(integrator)) => Some(integrator),
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
        let Side::Integrator(integrator) = &mut client.side else {
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
