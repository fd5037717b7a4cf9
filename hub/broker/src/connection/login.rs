//! Being let in, and what is kept of the session.

use super::client::{Client, Side};
use super::device_side::DeviceSide;
use super::integrator_side::IntegratorSide;
use super::keep;
use super::question::Questions;
use super::{Connection, Done};
use crate::counters::add;
use crate::login::{Answer, Unanswered};
use crate::registry::{Identity, Proof};
use crate::session::{Access, CloseReason, Verdict};
use hub_store::access::{Credential, Principal};
use hub_store::session::KeptSession;
use std::sync::Arc;
use tokio::time::{Instant, timeout};

/// The store's answer to a log-in.
pub(super) struct LoggedIn {
    credential: Credential,
    answer: Answer,
    /// Changes of access before the store was asked.
    changes: u64,
}

/// What came of taking the client's place.
enum TakeOver {
    /// It is this connection's.
    Done,
    /// The client connects too often.
    Refused,
}

impl Connection {
    pub(super) fn log_in(&mut self, credential: Credential) {
        let logins = self.shared.logins.clone();
        let changes = self.shared.registry.changes();
        self.running.push(Box::pin(async move {
            let answer = logins.ask(credential.clone()).await;
            Done::LoggedIn(LoggedIn {
                credential,
                answer,
                changes,
            })
        }));
    }

    pub(super) fn logged_in(&mut self, logged_in: LoggedIn) {
        let LoggedIn {
            credential,
            answer,
            changes,
        } = logged_in;
        let verdict = match answer {
            Ok(Some(principal)) if self.shared.registry.is_stale(changes, &identity(&principal).0) => {
                // Asked again, until the session's deadline: the answer may be from before the change.
                return self.log_in(credential);
            }
            Ok(Some(principal)) => match self.claim(&principal, &credential) {
                Some(TakeOver::Done) => self.let_in(principal, credential, changes),
                Some(TakeOver::Refused) => Verdict::ConnectRate,
                // Asked again once the earlier connection has ended.
                None => return,
            },
            Ok(None) => {
                self.shown = shown(&credential);
                Verdict::Refused
            }
            Err(Unanswered) => Verdict::Unavailable,
        };
        self.session.handle_verdict(verdict, Instant::now().into_std());
    }

    /// Takes the client's place, from its earlier connection if there is one: what that leaves behind must be in the store
    /// before the store says what it keeps. `None` where this takes a while.
    fn claim(&mut self, principal: &Principal, credential: &Credential) -> Option<TakeOver> {
        let (identity, tenant, name) = identity(principal);
        if let Some(claimed) = &self.claimed {
            // A credential that was given to somebody else meanwhile.
            let same = *claimed == identity;
            return Some(if same { TakeOver::Done } else { TakeOver::Refused });
        }
        if !self.shared.quotas.may_connect(&identity, &self.shared.config) {
            self.note_refused("connect_rate", &format_args!("{tenant}/{name} connects too often"));
            return Some(TakeOver::Refused);
        }
        self.claimed = Some(identity.clone());
        let earlier = self.shared.registry.claim(self.number, &identity);
        let (Identity::Device(appliance), false) = (identity, earlier.is_empty()) else {
            return Some(TakeOver::Done);
        };
        let (shared, credential) = (Arc::clone(&self.shared), credential.clone());
        self.running.push(Box::pin(async move {
            let ended = async {
                for end in earlier {
                    // Resolves by being dropped.
                    let _ = end.await;
                }
                keep::pass_ingest(&shared, appliance).await;
            };
            let ended = timeout(shared.config.store_patience, ended).await.is_ok();
            let changes = shared.registry.changes();
            let answer = if ended {
                shared.logins.clone().ask(credential.clone()).await
            } else {
                Err(Unanswered)
            };
            Done::LoggedIn(LoggedIn {
                credential,
                answer,
                changes,
            })
        }));
        None
    }

    fn let_in(&mut self, principal: Principal, credential: Credential, changes: u64) -> Verdict {
        let (identity, tenant, name) = identity(&principal);
        let (quotas, config) = (&self.shared.quotas, &self.shared.config);
        let Some(allowance) = quotas.enter(&identity, &tenant, config) else {
            self.note_refused(
                "tenant_connections",
                &format_args!("{tenant} or its {name} has too many connections"),
            );
            return Verdict::Quota("connections of the tenant");
        };
        let filters = match &principal {
            Principal::Integrator(integrator) => integrator.filters.clone(),
            Principal::Device(..) | Principal::Claimant(_) => Vec::new(),
        };
        let proof = Proof {
            credential,
            identity: identity.clone(),
            filters,
        };
        let (access, side) = match principal {
            Principal::Device(device, kept) => {
                let id = device.device.clone();
                (Access::Device { id, kept }, Side::Device(DeviceSide::new(device)))
            }
            Principal::Integrator(integrator) => {
                let filters = integrator.filters;
                (
                    Access::Integrator { filters },
                    Side::Integrator(IntegratorSide::default()),
                )
            }
            Principal::Claimant(claimant) => (Access::Claimant, Side::Claimant(claimant)),
        };
        self.client = Some(Box::new(Client {
            identity,
            tenant,
            name,
            allowance,
            changes,
            proof: Some(Box::new(proof)),
            entered: false,
            side,
            questions: Questions::default(),
        }));
        Verdict::Accepted(access)
    }

    /// CONNACK goes out now.
    pub(super) fn opened(&mut self) {
        self.greeting = None;
        // A WebSocket message may hold several packets.
        self.wire.take_messages(self.shared.config.packet_bytes_max * 4);
        let Some(client) = self.client.as_mut() else { return };
        let (registry, at) = (&self.shared.registry, self.shared.clock.now());
        let proof = client.proof.take();
        if !proof.is_some_and(|proof| registry.enter(self.number, proof, client.changes, at)) {
            return self.session.handle_close(CloseReason::Revoked);
        }
        if let Identity::Device(appliance) = &client.identity {
            self.shared.wills.cancel(*appliance);
        }
        client.entered = true;
        add(&self.shared.counters.accepted, 1);
        tracing::debug!(tenant = %client.tenant, name = client.name, peer = %self.peer, "connected");
    }

    /// The session is to be kept, or to be forgotten.
    pub(super) fn keep(&mut self, session: Option<KeptSession>) {
        if let Some(device) = self.device() {
            device.keeping.push_back(session);
        }
    }

    /// Brings it to the store: in the order asked, one at a time.
    pub(super) fn keep_next(&mut self) {
        // What comes with the end is done there, and only if the device has not connected again.
        let closed = self.session.is_closed();
        let Some(device) = self.device() else { return };
        if device.keeps || closed {
            return;
        }
        let Some((change, answers)) = keep::next_change(&mut device.keeping) else {
            return;
        };
        device.keeps = true;
        let appliance = device.device.appliance;
        let shared = Arc::clone(&self.shared);
        self.running.push(Box::pin(async move {
            let kept = keep::keep(&shared, appliance, change).await;
            Done::Kept { kept, answers }
        }));
    }

    pub(super) fn kept(&mut self, kept: bool, answers: u8) {
        if let Some(device) = self.device() {
            device.keeps = false;
        }
        for _ in 0..answers {
            self.session.handle_session_kept(kept, Instant::now().into_std());
        }
        self.keep_next();
    }
}

/// Whom a credential names by itself: nothing of its secret.
fn shown(credential: &Credential) -> Option<Box<(String, String)>> {
    match credential {
        Credential::Secret { tenant, device, .. } | Credential::Certificate { tenant, device } => {
            Some(Box::new((tenant.to_string(), device.to_string())))
        }
        Credential::Token(_) => None,
    }
}

/// What take-over and quotas go by, its tenant, and its name there.
pub(crate) fn identity(principal: &Principal) -> (Identity, hub_core::id::TenantId, String) {
    match principal {
        Principal::Device(device, _) => {
            let identity = Identity::Device(device.appliance);
            (identity, device.tenant.clone(), device.device.to_string())
        }
        Principal::Integrator(integrator) => {
            let (tenant, name) = (integrator.tenant.clone(), integrator.name.clone());
            (Identity::Integrator(tenant.clone(), name.clone()), tenant, name)
        }
        Principal::Claimant(claimant) => {
            let (tenant, name) = (claimant.tenant.clone(), claimant.name.clone());
            (Identity::Claimant(tenant.clone(), name.clone()), tenant, name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::id::{DeviceId, TenantId};

    #[test]
    fn a_refusal_names_whom_a_credential_claims_and_no_secret() {
        let secret = Credential::Secret {
            tenant: TenantId::new("acme").unwrap(),
            device: DeviceId::new("washer").unwrap(),
            secret: "hidden".into(),
        };
        assert_eq!(shown(&secret), Some(Box::new(("acme".into(), "washer".into()))));
        assert_eq!(shown(&Credential::Token("hidden".into())), None);
    }
}
