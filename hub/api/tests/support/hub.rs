//! A hub's API on a port of its own, and who asks it.

use super::scene::{self, Scene};
use hub_api::{ApiState, Pages, serve};
use hub_core::id::TicketId;
use hub_store::account::AccountStore;
use hub_store::memory::MemoryStore;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A hub's API on a port of its own, until it is dropped.
pub struct Hub {
    pub base: String,
    pub password: String,
    pub store: Arc<MemoryStore>,
    /// Tickets of the three appliances in turn.
    pub tickets: [TicketId; 3],
    /// Numbers in quarantine, oldest first.
    pub held: Vec<i64>,
    pub stop: CancellationToken,
    pub served: tokio::task::JoinHandle<std::io::Result<()>>,
    _guard: DropGuard,
}

impl Hub {
    /// With these pages, its parts as `change` leaves them.
    pub async fn serving(pages: Pages, change: impl FnOnce(ApiState) -> ApiState) -> Self {
        let Scene {
            store,
            password,
            tickets,
            held,
        } = scene::scene().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let state = change(super::state(store.clone()));
        let served = tokio::spawn(serve(listener, state, pages, stop.clone()));
        Self {
            base,
            password,
            store,
            tickets,
            held,
            _guard: stop.clone().drop_guard(),
            stop,
            served,
        }
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Address of the ticket of an appliance, 1 to 3.
    pub fn ticket(&self, appliance: usize) -> String {
        format!("/api/v1/tickets/{}", self.tickets[appliance - 1])
    }

    /// Changes whose things `admin` may see.
    pub async fn set_tenant(&self, tenant: Option<&str>) {
        let admin = scene::administrator("admin", tenant);
        self.store.change_account(&scene::hub(), &admin).await.unwrap();
    }

    /// Numbers in quarantine now, oldest first.
    pub async fn in_quarantine(&self) -> Vec<i64> {
        scene::numbers_in_quarantine(&self.store).await
    }

    /// A program with a bearer token.
    pub async fn program(&self) -> Program<'_> {
        let client = Client::new();
        let body = json!({ "name": "admin", "password": self.password });
        let answer = client
            .post(self.url("/api/v1/session"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let opened: Value = answer.json().await.unwrap();
        let token = opened["token"].as_str().unwrap().to_owned();
        Program {
            hub: self,
            client,
            token,
        }
    }
}

/// A program that has logged in.
pub struct Program<'a> {
    pub hub: &'a Hub,
    pub client: Client,
    pub token: String,
}

impl Program<'_> {
    /// A question.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.hub.url(path)).bearer_auth(&self.token)
    }

    /// An act with this key.
    pub fn post(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        let request = self.client.post(self.hub.url(path)).bearer_auth(&self.token);
        request.header("Idempotency-Key", key).json(body)
    }

    /// What a question is answered with.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }
}

/// Checks that an answer is a problem of this kind that says something.
pub async fn problem(answer: Response, status: u16, kind: &str) -> Value {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["type"], format!("urn:forecall:problem:{kind}"));
    assert_eq!(body["status"], status);
    assert!(body["detail"].as_str().unwrap().len() > 10);
    body
}

/// The code of a sample appliance, as on its label.
pub async fn claim_code(hub: &Hub) -> String {
    let path = hub.url("/api/v1/appliances/1/claim-code");
    let program = hub.program().await;
    let ask = program
        .client
        .post(path)
        .bearer_auth(&program.token)
        .json(&json!({ "expires_in_s": 60 }));
    let made: Value = ask.send().await.unwrap().json().await.unwrap();
    assert_eq!(made["expires_at"], "2026-11-22T01:06:00Z");
    made["code"].as_str().unwrap().to_owned()
}

/// What the hub says to a request, until it closes.
pub async fn said(hub: &Hub, request: &str) -> String {
    let mut stream = TcpStream::connect(hub.base.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    // What is refused before it is whole may be closed with a reset, behind the answer.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut said = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut said))
        .await
        .expect("answered in time");
    String::from_utf8(said).unwrap()
}

/// What it says to a line with these headers.
pub async fn asked(hub: &Hub, line: &str, headers: &str) -> String {
    let request = format!("{line}\r\nConnection: close\r\n{headers}\r\n");
    said(hub, &request).await
}
