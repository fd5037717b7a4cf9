//! The API and the console over a real listener, as a browser and a program use them.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod acts;
mod bounds;
mod claims;
mod devices;
mod events;
mod hosts;
mod lines;
mod log_in;
mod monitor;
mod nginx;
mod openapi;
mod pages;
mod proxies;
mod quarantine;
mod readings;
mod refusals;

use hub_api::{ApiState, create_first_account, serve};
use hub_core::clock::ManualClock;
use rand::SeedableRng;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use support::sample;
use support::store::SampleStore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A hub's API on a port of its own, until it is dropped.
struct Hub {
    base: String,
    password: String,
    store: Arc<SampleStore>,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    _guard: DropGuard,
}

impl Hub {
    async fn start() -> Self {
        Self::start_with(|state| state).await
    }

    async fn start_with(change: impl FnOnce(ApiState) -> ApiState) -> Self {
        let store = Arc::new(SampleStore::new(vec![
            sample::booked(),
            sample::withdrawn(),
            sample::unsure(),
        ]));
        let clock = Arc::new(ManualClock::new(sample::at("09:05")));
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(7);
        let first = create_first_account(store.as_ref(), clock.as_ref(), &mut rng)
            .await
            .unwrap()
            .unwrap();
        let again = create_first_account(store.as_ref(), clock.as_ref(), &mut rng)
            .await
            .unwrap();
        assert!(again.is_none(), "there is only one first account");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let state = change(support::state(store.clone()));
        let served = tokio::spawn(serve(listener, state, stop.clone()));
        Self {
            base,
            password: first.password,
            store,
            _guard: stop.clone().drop_guard(),
            stop,
            served,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A program with a bearer token.
    async fn program(&self) -> Program<'_> {
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

    /// A browser that has logged in: cookies are kept, redirects are seen.
    async fn browser(&self) -> Client {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let form = [("name", "admin"), ("password", &self.password), ("back", "/tickets")];
        let answer = client.post(self.url("/log-in")).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["location"], "/tickets");
        client
    }
}

struct Program<'a> {
    hub: &'a Hub,
    client: Client,
    token: String,
}

impl Program<'_> {
    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.hub.url(path)).bearer_auth(&self.token)
    }

    fn post(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        let request = self.client.post(self.hub.url(path)).bearer_auth(&self.token);
        request.header("Idempotency-Key", key).json(body)
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }
}

fn ticket(n: u32) -> String {
    format!("/api/v1/tickets/00000000-0000-0000-0000-{n:012}")
}

/// Checks that an answer is a problem of this kind that says something.
async fn problem(answer: Response, status: u16, kind: &str) -> Value {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["type"], format!("urn:forecall:problem:{kind}"));
    assert_eq!(body["status"], status);
    assert!(body["detail"].as_str().unwrap().len() > 10);
    body
}
