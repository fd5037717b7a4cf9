//! Incoming calls: an owner who rings the main number hears about the ticket that waits for them.

use super::call::Calls;
use super::order::stranger_order;
use super::stranger::StrangerHost;
use crate::random;
use crate::workers::in_time;
use async_trait::async_trait;
use hub_core::id::{AttemptId, TenantId};
use hub_core::phone_number::PhoneNumber;
use hub_store::StoreError;
use hub_store::contact::{RangIn, attempt_id};
use hub_voice::{CallDetail, InboundDecision, InboundHost, Stranger};
use std::sync::Arc;

#[async_trait]
impl InboundHost for Calls {
    async fn answer(&self, trunk: &str, caller: Option<PhoneNumber>, called: Option<PhoneNumber>) -> InboundDecision {
        // A trunk has its tenant's name.
        let Ok(tenant) = TenantId::new(trunk) else {
            return InboundDecision::Decline;
        };
        let Some(caller) = caller else {
            return self.greet(tenant, called).await;
        };
        let (now, random) = (self.clock.now(), random::bytes());
        match in_time(self.contacts.begin_inbound(&tenant, &caller, now, random)).await {
            Ok(RangIn::Order(order)) => {
                let call = self.order(&order, now);
                call.map_or(InboundDecision::Decline, |call| InboundDecision::Flow(Box::new(call)))
            }
            Ok(RangIn::InCall) => {
                tracing::info!(%caller, %tenant, "an owner who is in a call rings the main number");
                InboundDecision::Busy
            }
            Ok(RangIn::Unknown) => {
                tracing::info!(%caller, %tenant, "nobody knows a caller of the main number");
                self.greet(tenant, called).await
            }
            Err(error) => {
                if let StoreError::Unavailable(_) = error {
                    self.doubts.add(attempt_id(now, &random));
                }
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a call to the main number could not be looked up"
                );
                InboundDecision::Decline
            }
        }
    }

    async fn finished(&self, detail: CallDetail) {
        self.end(detail.attempt, &detail).await;
    }
}

impl Calls {
    /// Somebody whom nobody knows rings our number: they may name a ticket or an appliance.
    async fn greet(&self, tenant: TenantId, called: Option<PhoneNumber>) -> InboundDecision {
        let now = self.clock.now();
        match (in_time(self.contacts.greeting(&tenant, now)).await, called) {
            (Ok(Some(greeting)), Some(called)) => {
                let id = AttemptId::new(now, random::bytes());
                InboundDecision::Stranger(Box::new(Stranger {
                    order: stranger_order(&tenant, &greeting, called, id),
                    host: Arc::new(StrangerHost {
                        contacts: self.contacts.clone(),
                        clock: self.clock.clone(),
                        tries: self.tries.clone(),
                        tenant,
                        rings_by: greeting.rings_by,
                    }),
                }))
            }
            (Ok(_), _) => InboundDecision::Decline,
            (Err(error), _) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a call to the main number could not be looked up"
                );
                InboundDecision::Decline
            }
        }
    }
}
