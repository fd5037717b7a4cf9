//! Incoming calls: an owner who rings the main number hears about the ticket that waits for them.

use super::call::Calls;
use crate::random;
use crate::workers::in_time;
use async_trait::async_trait;
use hub_core::id::TenantId;
use hub_core::phone_number::PhoneNumber;
use hub_store::StoreError;
use hub_store::contact::attempt_id;
use hub_voice::{CallDetail, InboundDecision, InboundHost};

#[async_trait]
impl InboundHost for Calls {
    async fn answer(&self, trunk: &str, caller: Option<PhoneNumber>, _: Option<PhoneNumber>) -> InboundDecision {
        // A trunk has its tenant's name.
        let (Some(caller), Ok(tenant)) = (caller, TenantId::new(trunk)) else {
            return InboundDecision::Decline;
        };
        let (now, random) = (self.clock.now(), random::bytes());
        match in_time(self.contacts.begin_inbound(&tenant, &caller, now, random)).await {
            Ok(Some(order)) => {
                let call = self.order(&order, now);
                call.map_or(InboundDecision::Decline, |call| InboundDecision::Flow(Box::new(call)))
            }
            Ok(None) => {
                tracing::info!(%caller, %tenant, "a call to the main number belongs to no open ticket");
                InboundDecision::Decline
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
