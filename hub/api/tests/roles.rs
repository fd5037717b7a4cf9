//! What each role is answered: every route of the API, asked by each role in its own tenant and another, at its own site and
//! another. A route that the table does not name fails.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/roles.rs"]
mod support;

use hub_api::{Pages, openapi_json};
use hub_core::actor::{Act, Actor};
use hub_store::conformance::tenants::Things;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{From, Hub, Needs, PLACES, actor, roles};

/// What each route of the document needs.
fn needs(method: &str, path: &str) -> Needs {
    let act = match (method, path) {
        ("post", "/session" | "/claims") | ("get", "/openapi.json") => return Needs::Nothing,
        ("delete", "/session") | ("put", "/password") => return Needs::LogIn,
        ("get", "/appliances" | "/appliances/{id}" | "/appliances/{id}/normal") => Act::ReadAppliances,
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
        ("get", "/readings/hourly" | "/models") => Act::ReadFleet,
        ("post", "/models/budget") => Act::SetBudgets,
        ("post", "/models/release") => Act::ReleaseCalls,
        ("get", "/findings" | "/findings/{id}") => Act::ReadFindings,
        ("get", "/tickets" | "/tickets/{id}" | "/appointments") => Act::ReadTickets,
        ("get", "/contacts") => Act::ReadCalls,
        ("get", "/events") => Act::ReadEvents,
        ("get", "/quarantine") => Act::ReadQuarantine,
        ("post", "/quarantine/replay") => Act::ReplayQuarantine,
        ("post", "/tickets" | "/tickets/{id}/take" | "/tickets/{id}/call" | "/tickets/{id}/book")
        | ("post", "/tickets/{id}/status" | "/tickets/{id}/promise" | "/tickets/{id}/promise-kept")
        | ("post", "/tickets/{id}/promise-released" | "/tickets/{id}/call/approve" | "/tickets/{id}/call/refuse") => {
            Act::WorkTickets
        }
        ("post", "/tickets/{id}/note") => Act::NoteTickets,
        // By what the body says: other events of a visit are work on the ticket.
        ("post", "/tickets/{id}/appointment") => Act::AttendVisits,
        ("post", "/tickets/{id}/close" | "/tickets/{id}/false-alarm") => Act::CloseTickets,
        ("post", "/tickets/{id}/correction") => Act::CorrectOutcomes,
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
        ("get", "/models") => ("?tenant=acme", Value::Null),
        ("post", "/models/budget") => {
            let stated = json!({ "tenant": "acme", "family": "washing-machine", "tickets": 1.0, "calls": 0.05 });
            ("", stated)
        }
        ("post", "/models/release") => {
            let released = json!({
                "tenant": "acme", "family": "washing-machine", "model": "washing-machine",
                "reason": "new firmware", "until": "2026-03-03T02:00:00Z",
            });
            ("", released)
        }
        ("post", "/quarantine/replay") => ("", json!({ "ids": [of.held] })),
        ("post", "/tickets/{id}/close") => (
            "",
            json!({ "resolution": "no_fault_found", "verdict": "wrong", "note": "" }),
        ),
        ("post", "/tickets/{id}/correction") => {
            let wrong = json!({ "resolution": "no_fault_found", "verdict": "wrong", "reason": "the wrong line" });
            ("", wrong)
        }
        ("post", "/tickets/{id}/appointment") => ("", json!({ "event": "en_route" })),
        ("get", "/appointments") => ("?from=2026-03-01T00:00:00Z&until=2026-04-01T00:00:00Z", Value::Null),
        ("post", "/tickets/{id}/false-alarm") => ("", json!({ "note": "" })),
        ("post", "/tickets") => {
            let asked = json!({ "appliance": of.washer, "kind": "care", "note": "Descale." });
            ("", asked)
        }
        ("post", "/tickets/{id}/status") => ("", json!({ "label": "waiting" })),
        ("post", "/tickets/{id}/note") => ("", json!({ "text": "as it was" })),
        ("post", "/tickets/{id}/promise") => (
            "",
            json!({ "what": "a call", "to": "Li", "by": "2099-01-01T00:00:00Z" }),
        ),
        ("post", "/tickets/{id}/promise-released" | "/tickets/{id}/call/refuse") => {
            ("", json!({ "reason": "spoken with" }))
        }
        ("post", "/tickets/{id}/book") => ("", json!({ "start": "2026-03-03T01:00:00Z" })),
        ("post", _) => ("", json!({})),
        _ => ("", Value::Null),
    }
}

async fn ask(hub: &Hub, method: &str, path: &str, who: &Actor) -> Response {
    let id = match path.split('/').nth(1).unwrap() {
        "findings" => hub.of.finding.to_string(),
        "tickets" => hub.of.ticket.to_string(),
        _ => hub.of.washer.to_string(),
    };
    let (query, body) = asked(method, path, &hub.of);
    let path = path.replace("{id}", &id).replace("{request}", "first");
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let key = format!("{method}{path}{}", who.name).replace('/', ".");
    let key = hex(&Sha256::digest(key));
    let request = Client::new()
        .request(method, format!("{}/api/v1{path}{query}", hub.base))
        .bearer_auth(&who.name)
        .header("idempotency-key", &key[..32]);
    let request = if body.is_null() { request } else { request.json(&body) };
    request.send().await.unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Pages are asked where they are.
const NO_PAGES: Pages = Pages {
    routes: axum::Router::new,
    around: |routes| routes,
};

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
            path.contains("close") || path.contains("false") || path.contains("correction"),
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
    let names_acme = path == "/readings/hourly" || path.starts_with("/models");
    if path.contains('{') || names_acme || (method, path) == ("post", "/tickets") {
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
    let hub = Hub::start(NO_PAGES).await;
    let routes = routes();
    assert!(routes.len() > 25, "{routes:?}");
    for (method, path) in &routes {
        let Needs::Role(act) = needs(method, path) else {
            continue;
        };
        for role in roles() {
            for from in PLACES {
                let answer = ask(&hub, method, path, &actor(role, from)).await;
                check((method, path), act, from, act.roles().contains(&role), answer).await;
            }
        }
    }
    for (method, path) in &routes {
        let stranger = Actor::hub("nobody");
        let status = ask(&hub, method, path, &stranger).await.status();
        let refused = status == StatusCode::UNAUTHORIZED;
        match needs(method, path) {
            Needs::Nothing => assert!(path == "/session" || !refused, "{method} {path}: {status}"),
            Needs::LogIn | Needs::Role(_) => assert!(refused, "{method} {path}: {status}"),
        }
    }
}
