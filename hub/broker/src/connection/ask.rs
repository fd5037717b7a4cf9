//! What a client asks besides storing readings: attributes, the hub's time and bounds, an owner's claim, a credential. One
//! question of a connection at a time, in order of receipt, so that a device can only hold up itself.

use super::client::Side;
use super::question::{Asker, Question, What};
use super::{Connection, Done};
use crate::counters::add;
use crate::refusals::About;
use crate::session::{CloseReason, Delivery, Kind, Outbound, Received};
use crate::work::Shared;
use bytes::Bytes;
use hub_core::id::{ApplianceId, DeviceId};
use hub_store::StoreError;
use hub_store::access::{Claimant, ProvisionRequest, Provisioned};
use hub_store::claim::{DEVICE_WINDOW_DEFAULT, DEVICE_WINDOW_MAX, Opener};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// What came of a question.
pub(super) struct Answered {
    number: Option<u64>,
    answer: Result<Option<Outbound>, Refusal>,
}

/// Why there is no answer.
enum Refusal {
    /// The payload is not what it should be.
    Payload(String),
    /// The store does not want it so.
    Refused(String),
    /// The store did not answer: the client asks again.
    Unanswered,
}

impl Connection {
    pub(super) fn ask(&mut self, received: Received) {
        let Received {
            number, kind, message, ..
        } = received;
        let Some(client) = self.client.as_mut() else { return };
        let asker = match &client.side {
            Side::Device(device) => Asker::Device(device.device.appliance),
            Side::Claimant(claimant) => Asker::Claimant(claimant.clone()),
            Side::Integrator(_) => return,
        };
        let what = What::Kind(kind, message.to_payload());
        client.questions.waiting.push_back(Question { number, asker, what });
        self.ask_next();
    }

    pub(super) fn attributes_changed(&mut self) {
        let Some(client) = self.client.as_mut() else { return };
        let Side::Device(device) = &client.side else { return };
        let asker = Asker::Device(device.device.appliance);
        let waits = client
            .questions
            .waiting
            .iter()
            .any(|question| matches!(question.what, What::Tell));
        if !waits {
            let (number, what) = (None, What::Tell);
            client.questions.waiting.push_back(Question { number, asker, what });
            self.ask_next();
        }
    }

    fn ask_next(&mut self) {
        let Some(client) = self.client.as_mut() else { return };
        if client.questions.running {
            return;
        }
        let Some(question) = client.questions.waiting.pop_front() else {
            return;
        };
        client.questions.running = true;
        let shared = Arc::clone(&self.shared);
        self.running.push(Box::pin(async move {
            let number = question.number;
            let answer = timeout(shared.config.store_patience, shared.answer(question)).await;
            let answer = answer.unwrap_or(Err(Refusal::Unanswered));
            Done::Asked(Answered { number, answer })
        }));
    }

    pub(super) fn answered(&mut self, Answered { number, answer }: Answered) {
        if let Some(client) = self.client.as_mut() {
            client.questions.running = false;
        }
        match answer {
            Ok(outbound) => {
                let delivery = outbound.map(|outbound| self.session.handle_message(outbound));
                if let Some(Delivery::Full | Delivery::TooLarge) = delivery {
                    self.note_refused("answer_unsent", &"an answer did not fit into what the client takes");
                }
                number
                    .into_iter()
                    .for_each(|number| self.session.handle_committed(number));
            }
            Err(Refusal::Payload(text)) => {
                let reason = CloseReason::Payload(text.into());
                self.note_refused("payload", &reason);
                number
                    .into_iter()
                    .for_each(|number| self.session.handle_refused(number, reason.clone()));
            }
            Err(Refusal::Refused(text)) => {
                self.note_refused("question", &text);
                number
                    .into_iter()
                    .for_each(|number| self.session.handle_noted(number, &text));
            }
            // Unacknowledged, the client may ask again.
            Err(Refusal::Unanswered) if number.is_some() => self.session.handle_close(CloseReason::StoreDown),
            Err(Refusal::Unanswered) => {}
        }
        self.ask_next();
    }
}

impl Shared {
    async fn answer(&self, question: Question) -> Result<Option<Outbound>, Refusal> {
        match (question.asker, question.what) {
            (Asker::Device(appliance), What::Tell) => self.changed_attributes(appliance).await,
            (Asker::Device(appliance), What::Kind(kind, payload)) => match kind {
                Kind::AttributesRequest(number) => self.attributes(appliance, number, &payload).await,
                Kind::DeviceRpc(number) => self.device_rpc(appliance, number, &payload).await,
                Kind::OwnerClaim => self.owner_claim(appliance, &payload).await,
                _ => Ok(None),
            },
            (Asker::Claimant(claimant), What::Kind(Kind::Provision(_), payload)) => {
                self.provision(&claimant, &payload).await
            }
            (Asker::Claimant(_), _) => Ok(None),
        }
    }

    async fn changed_attributes(&self, appliance: ApplianceId) -> Result<Option<Outbound>, Refusal> {
        let asked = self.store.attributes(appliance, Some(&[]), None).await;
        let attributes = asked.map_err(|error| self.refusal(error))?;
        let payload = payload(&Value::Object(attributes.shared));
        Ok(Some(Outbound::Attributes { payload }))
    }

    /// ThingsBoard's request: `{"clientKeys": "a,b", "sharedKeys": "c"}`; without either, all of both.
    async fn attributes(
        &self,
        appliance: ApplianceId,
        number: String,
        body: &[u8],
    ) -> Result<Option<Outbound>, Refusal> {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase")]
        struct Wanted {
            client_keys: Option<String>,
            shared_keys: Option<String>,
        }
        let wanted: Wanted = if body.is_empty() {
            Wanted::default()
        } else {
            parse(body)?
        };
        let all = wanted.client_keys.is_none() && wanted.shared_keys.is_none();
        let names = |keys: Option<String>| -> Option<Vec<String>> {
            let keys = keys.map(|keys| keys.split(',').map(|key| key.trim().to_owned()).collect());
            if all { None } else { Some(keys.unwrap_or_default()) }
        };
        let (client, shared) = (names(wanted.client_keys), names(wanted.shared_keys));
        let asked = self
            .store
            .attributes(appliance, client.as_deref(), shared.as_deref())
            .await;
        let attributes = asked.map_err(|error| self.refusal(error))?;
        let mut answer = Map::new();
        for (side, values) in [("client", attributes.client), ("shared", attributes.shared)] {
            if !values.is_empty() {
                answer.insert(side.to_owned(), Value::Object(values));
            }
        }
        let payload = payload(&Value::Object(answer));
        Ok(Some(Outbound::AttributesAnswer { number, payload }))
    }

    async fn device_rpc(
        &self,
        appliance: ApplianceId,
        number: String,
        body: &[u8],
    ) -> Result<Option<Outbound>, Refusal> {
        #[derive(Deserialize)]
        struct Call {
            method: String,
            #[serde(default)]
            params: Value,
        }
        let call: Call = parse(body)?;
        let secret = call.params.get("secret").and_then(Value::as_str).unwrap_or_default();
        let answer = match call.method.as_str() {
            "getCurrentTime" => json!({"time": self.clock.now().as_millisecond()}),
            "getSessionLimits" => {
                let pace = self.config.device_messages;
                // As its client reads it: a list of `count:seconds,`, where `0:0,` is no limit.
                let rate = format!("{}:1,", pace.per_second);
                json!({
                    "maxPayloadSize": self.config.packet_bytes_max,
                    "maxInflightMessages": self.config.in_flight_max,
                    "rateLimits": {"messages": rate, "telemetryMessages": rate, "telemetryDataPoints": "0:0,"},
                })
            }
            "proposeSecret" => self.settled(self.store.propose_secret(appliance, secret).await)?,
            "endOldSecret" => self.settled(self.store.end_old_secret(appliance, secret).await)?,
            _ => json!({"error": "not one of getCurrentTime, getSessionLimits, proposeSecret and endOldSecret"}),
        };
        let payload = payload(&answer);
        Ok(Some(Outbound::RpcAnswer { number, payload }))
    }

    /// ThingsBoard's claim: `{"secretKey": "…", "durationMs": 60000}`.
    async fn owner_claim(&self, appliance: ApplianceId, body: &[u8]) -> Result<Option<Outbound>, Refusal> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Claim {
            secret_key: String,
            duration_ms: Option<u64>,
        }
        let claim: Claim = parse(body)?;
        let window = claim.duration_ms.map_or(DEVICE_WINDOW_DEFAULT, Duration::from_millis);
        let now = self.clock.now();
        let until = now + window.min(DEVICE_WINDOW_MAX);
        let opened = self
            .store
            .open_claim(appliance, Opener::Device, &claim.secret_key, until, now);
        opened.await.map_err(|error| self.refusal(error))?;
        Ok(None)
    }

    /// What became of a device's own secret: told in the answer, as a claimant is told, since a device acts on it.
    fn settled(&self, done: hub_store::error::Result<()>) -> Result<Value, Refusal> {
        match done.map_err(|error| self.refusal(error)) {
            Ok(()) => Ok(json!({"status": "ok"})),
            Err(Refusal::Unanswered) => Err(Refusal::Unanswered),
            Err(Refusal::Payload(reason) | Refusal::Refused(reason)) => {
                self.refusals.note("own_secret", About::default(), &reason);
                self.counters.count_refused("own_secret");
                Ok(json!({"status": "refused", "reason": reason}))
            }
        }
    }

    fn refusal(&self, error: StoreError) -> Refusal {
        if passes(&error) {
            self.refusals.note("unanswered", About::default(), &error);
            Refusal::Unanswered
        } else {
            Refusal::Refused(error.to_string())
        }
    }

    /// `{"device": "…", "csr": "PEM, if it wants a certificate", "secret": "if it has made one itself"}`.
    async fn provision(&self, claimant: &Claimant, body: &[u8]) -> Result<Option<Outbound>, Refusal> {
        #[derive(Deserialize)]
        struct Wish {
            device: String,
            csr: Option<String>,
            secret: Option<String>,
        }
        let read = || {
            let wish: Wish = parse(body)?;
            if wish.csr.is_some() && wish.secret.is_some() {
                let both = "a device asks for a certificate or by a secret of its own, not for both";
                return Err(Refusal::Payload(both.to_owned()));
            }
            let device = DeviceId::new(&*wish.device).map_err(|error| Refusal::Payload(error.to_string()))?;
            let der = |pem: String| CertificateSigningRequestDer::from_pem_slice(pem.as_bytes());
            let csr = wish.csr.map(der).transpose();
            let csr = csr.map_err(|error| Refusal::Payload(format!("csr is no PEM: {error}")))?;
            let csr = csr.map(|csr| csr.to_vec());
            let secret = wish.secret;
            Ok(ProvisionRequest { device, csr, secret })
        };
        let provisioned = match read() {
            Ok(request) => {
                let provisioned = self.store.provision(claimant, &request, self.clock.now()).await;
                provisioned
                    .map(|provisioned| (request, provisioned))
                    .map_err(|error| self.refusal(error))
            }
            Err(refusal) => Err(refusal),
        };
        let answer = match provisioned {
            Ok((request, provisioned)) => {
                add(&self.counters.provisioned, 1);
                tracing::info!(tenant = %claimant.tenant, claim = claimant.name, device = %request.device, ?provisioned, "provisioned");
                match provisioned {
                    Provisioned::Own => json!({"status": "ok"}),
                    Provisioned::Secret(secret) => json!({"status": "ok", "secret": secret}),
                    Provisioned::Certificate { certificate, authority } => {
                        json!({"status": "ok", "certificate": certificate, "authority": authority})
                    }
                }
            }
            Err(Refusal::Unanswered) => return Err(Refusal::Unanswered),
            // Told in the answer, also in MQTT 3.1.1.
            Err(Refusal::Payload(reason) | Refusal::Refused(reason)) => {
                let about = About {
                    tenant: Some(claimant.tenant.as_str()),
                    name: Some(&claimant.name),
                    peer: None,
                };
                self.refusals.note("provision", about, &reason);
                self.counters.count_refused("provision");
                json!({"status": "refused", "reason": reason})
            }
        };
        let payload = payload(&answer);
        Ok(Some(Outbound::Provisioned { payload }))
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Payload(error.to_string()))
}

fn payload(answer: &Value) -> Bytes {
    Bytes::from(answer.to_string())
}

fn passes(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Deposed
    )
}
