//! What each role is answered: every route of the API, asked by each role in its own tenant and another, at its own site and
//! another. A route that the table does not name fails.
#![expect(clippy::unwrap_used, reason = "tests")]

use hub_api::{ApiConfig, ApiState, Monitor, Redecoded, openapi_json, serve};
use hub_core::actor::{Act, Actor, Role};
use hub_core::clock::ManualClock;
use hub_core::id::AccountId;
use hub_store::account::{Account, AccountStore};
use hub_store::conformance::scene::{morning, profiles, site, tenant};
use hub_store::conformance::tenants::{Things, things};
use hub_store::lease::LeaseStore;
use hub_store::memory::MemoryStore;
use hub_store::site::SiteStore;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a route needs.
enum Needs {
    /// No log-in.
    Nothing,
    /// A log-in of any role.
    LogIn,
    /// A role that may.
    Role(Act),
}

/// What each route of the document needs.
fn needs(method: &str, path: &str) -> Needs {
    let act = match (method, path) {
        ("post", "/session" | "/claims") | ("get", "/openapi.json") => return Needs::Nothing,
        ("delete", "/session") | ("put", "/password") => return Needs::LogIn,
        ("get", "/appliances" | "/appliances/{id}") => Act::ReadAppliances,
        (
            "get",
            "/appliances/{id}/attributes" | "/appliances/{id}/commands" | "/appliances/{id}/commands/{request}",
        ) => Act::ReadCommands,
        ("put", "/appliances/{id}/attributes") | ("post", "/appliances/{id}/commands") => Act::SendCommands,
        ("post", "/appliances/{id}/claim-code") => Act::OpenClaims,
        (
            "get",
            "/appliances/{id}/readings" | "/appliances/{id}/readings/daily" | "/appliances/{id}/readings/latest",
        ) => Act::ReadReadings,
        ("get", "/readings/hourly") => Act::ReadFleet,
        ("get", "/findings" | "/findings/{id}") => Act::ReadFindings,
        ("get", "/tickets" | "/tickets/{id}") => Act::ReadTickets,
        ("get", "/contacts") => Act::ReadCalls,
        ("get", "/events") => Act::ReadEvents,
        ("get", "/quarantine") => Act::ReadQuarantine,
        ("post", "/quarantine/replay") => Act::ReplayQuarantine,
        ("post", "/tickets/{id}/take" | "/tickets/{id}/call" | "/tickets/{id}/book") => Act::WorkTickets,
        ("post", "/tickets/{id}/close" | "/tickets/{id}/false-alarm") => Act::CloseTickets,
        _ => panic!("{method} {path} is in no row: say what it needs"),
    };
    Needs::Role(act)
}

/// Query and body with which a route is asked for what is of acme.
fn asked(method: &str, path: &str, of: &Things) -> (&'static str, Value) {
    match (method, path) {
        ("put", "/appliances/{id}/attributes") => ("", json!({ "mode": "eco" })),
        ("post", "/appliances/{id}/commands") => ("", json!({ "body": { "method": "beep" } })),
        ("post", "/appliances/{id}/claim-code") => ("", json!({})),
        ("get", "/appliances/{id}/readings/daily") => ("?channel=phase", Value::Null),
        ("get", "/readings/hourly") => ("?tenant=acme&profile=washing-machine&channel=phase", Value::Null),
        ("post", "/quarantine/replay") => ("", json!({ "ids": [of.held] })),
        ("post", "/tickets/{id}/close") => (
            "",
            json!({ "resolution": "no_fault_found", "verdict": "wrong", "note": "" }),
        ),
        ("post", "/tickets/{id}/false-alarm") => ("", json!({ "note": "" })),
        ("post", "/tickets/{id}/book") => ("", json!({ "start": "2026-03-03T01:00:00Z" })),
        ("post", _) => ("", json!({})),
        _ => ("", Value::Null),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    OwnTenant,
    OtherTenant,
    OwnSite,
    OtherSite,
}

const PLACES: [From; 4] = [From::OtherTenant, From::OtherSite, From::OwnSite, From::OwnTenant];

fn actor(role: Role, from: From) -> Actor {
    let (of, sites) = match from {
        From::OwnTenant => ("acme", None),
        From::OtherTenant => ("beta", None),
        From::OwnSite => ("acme", Some(vec!["pudong".to_owned()])),
        From::OtherSite => ("acme", Some(vec!["minhang".to_owned()])),
    };
    Actor {
        sites,
        roles: vec![role],
        ..Actor::hub(&format!("{role}-{from:?}")).within(Some(tenant(of)))
    }
}

/// A hub's API over a store in memory, with what is of acme, and a log-in of each role from everywhere.
struct Hub {
    base: String,
    client: Client,
    of: Things,
    _stop: tokio_util::sync::DropGuard,
}

impl Hub {
    async fn start() -> Self {
        let store = Arc::new(MemoryStore::new(profiles(), 1));
        store.take_lease(morning()).await.unwrap().unwrap();
        let mut site = site();
        let mut minhang = site.tenants[0].service_points[0].clone();
        minhang.id = "minhang".to_owned();
        site.tenants[0].service_points.push(minhang);
        store.apply_site(&site, morning(), false).await.unwrap();
        let of = things(store.as_ref()).await;
        for role in roles() {
            for from in PLACES {
                log_in(&store, actor(role, from)).await;
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let state = ApiState {
            store,
            clock: Arc::new(ManualClock::new(morning())),
            monitor: Monitor::default(),
            redecode: Arc::new(|_| Box::pin(async { Ok(Redecoded::Refused("as before".to_owned())) })),
            demo: None,
            config: ApiConfig::default(),
        };
        tokio::spawn(serve(listener, state, stop.clone()));
        Self {
            base,
            client: Client::new(),
            of,
            _stop: stop.drop_guard(),
        }
    }

    async fn ask(&self, method: &str, path: &str, who: &Actor) -> Response {
        let id = match path.split('/').nth(1).unwrap() {
            "findings" => self.of.finding.to_string(),
            "tickets" => self.of.ticket.to_string(),
            _ => self.of.washer.to_string(),
        };
        let (query, body) = asked(method, path, &self.of);
        let path = path.replace("{id}", &id).replace("{request}", "first");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let key = format!("{method}{path}{}", who.name).replace('/', ".");
        let key = hex(&Sha256::digest(key));
        let request = self
            .client
            .request(method, format!("{}{path}{query}", self.base))
            .bearer_auth(&who.name)
            .header("idempotency-key", &key[..32]);
        let request = if body.is_null() { request } else { request.json(&body) };
        request.send().await.unwrap()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Roles that people have.
fn roles() -> impl Iterator<Item = Role> {
    Role::ALL.iter().copied().filter(|role| role.is_for_accounts())
}

/// The token is the name.
async fn log_in(store: &MemoryStore, actor: Actor) {
    let token: [u8; 32] = Sha256::digest(&actor.name).into();
    let id = AccountId(uuid::Uuid::from_slice(&token[..16]).unwrap());
    let account = Account {
        id,
        password_hash: "$argon2id$x".to_owned(),
        actor,
    };
    let (now, hub) = (Timestamp::now(), Actor::hub("test"));
    store.add_account(&hub, &account, now).await.unwrap();
    let until = now + SignedDuration::from_hours(1);
    store.open_session(token, id, until, now).await.unwrap();
}

/// Every route of the document without the prefix, those that change something last.
fn routes() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(openapi_json()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            routes.push((method.clone(), path.strip_prefix("/api/v1").unwrap().to_owned()));
        }
    }
    routes.sort_by_key(|(method, path)| {
        (
            method != "get",
            path.contains("close") || path.contains("false"),
            path.clone(),
        )
    });
    routes
}

async fn check(route: (&str, &str), act: Act, from: From, may: bool, answer: Response) {
    let (method, path) = route;
    let status = answer.status();
    let confined = matches!(from, From::OwnSite | From::OtherSite) && act.is_of_tenant();
    let told = format!("{method} {path} from {from:?}: {status}");
    if !may || confined {
        assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
        return;
    }
    let is_own = matches!(from, From::OwnTenant | From::OwnSite);
    let is_stream = path == "/events";
    let body = if is_stream {
        String::new()
    } else {
        answer.text().await.unwrap()
    };
    if path.contains('{') || path == "/readings/hourly" {
        let hidden = status == StatusCode::NOT_FOUND;
        assert_eq!(hidden, !is_own, "{told} {body}");
        assert_ne!(status, StatusCode::FORBIDDEN, "{told}");
    } else if method == "get" {
        assert_eq!(status, StatusCode::OK, "{told} {body}");
        assert_eq!(body.contains("\"acme\""), is_own && !is_stream, "{told} {body}");
    } else {
        // What is not theirs is not found among what they name.
        assert_eq!(status, StatusCode::OK, "{told} {body}");
        assert_eq!(body.contains("as before"), is_own, "{told} {body}");
    }
}

#[tokio::test]
async fn each_route_answers_each_role_by_tenant_and_site() {
    let hub = Hub::start().await;
    let routes = routes();
    assert!(routes.len() > 25, "{routes:?}");
    for (method, path) in &routes {
        let Needs::Role(act) = needs(method, path) else {
            continue;
        };
        for role in roles() {
            for from in PLACES {
                let answer = hub.ask(method, path, &actor(role, from)).await;
                check((method, path), act, from, act.roles().contains(&role), answer).await;
            }
        }
    }
    for (method, path) in &routes {
        let stranger = Actor::hub("nobody");
        let status = hub.ask(method, path, &stranger).await.status();
        let refused = status == StatusCode::UNAUTHORIZED;
        match needs(method, path) {
            Needs::Nothing => assert!(path == "/session" || !refused, "{method} {path}: {status}"),
            Needs::LogIn | Needs::Role(_) => assert!(refused, "{method} {path}: {status}"),
        }
    }
}
