//! What each role is shown and may send on the pages, in its own tenant and another, at its own site and another. A page that
//! the table does not name fails.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../api/tests/support/roles.rs"]
mod support;

use hub_console::PAGES;
use hub_core::actor::{Act, Role};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use std::collections::BTreeSet;
use support::{From, Hub, Needs, PLACES, actor, roles};
use uuid::Uuid;

/// The routes as they are written.
const ROUTES: &str = include_str!("../src/pages/mod.rs");

/// The model family that has a ledger.
const OF_ACME: [(&str, &str); 2] = [("tenant", "acme"), ("family", "washing-machine")];

/// What each page needs.
fn needs(method: &str, path: &str) -> Needs {
    let act = match (method, path) {
        ("get", "/" | "/log-in" | "/claim") | ("post", "/log-in" | "/claim" | "/language") => return Needs::Nothing,
        ("get", "/account") | ("post", "/account/password" | "/log-out") => return Needs::LogIn,
        ("get", "/tickets" | "/tickets/{id}" | "/ready-to-ring") => Act::ReadTickets,
        ("post", "/tickets/{id}/take" | "/tickets/{id}/call" | "/tickets/{id}/book")
        | ("post", "/tickets/{id}/status" | "/tickets/{id}/promise" | "/tickets/{id}/promise-kept")
        | ("post", "/tickets/{id}/promise-released" | "/appliances/{id}/tickets")
        | ("post", "/tickets/{id}/call/approve" | "/tickets/{id}/call/refuse") => Act::WorkTickets,
        ("post", "/tickets/{id}/note") => Act::NoteTickets,
        // By what the form says: other events of a visit are work on the ticket.
        ("post", "/tickets/{id}/appointment") => Act::AttendVisits,
        ("post", "/tickets/{id}/false-alarm" | "/tickets/{id}/close") => Act::CloseTickets,
        ("post", "/tickets/{id}/correction") => Act::CorrectOutcomes,
        ("get", "/quarantine") => Act::ReadQuarantine,
        ("post", "/quarantine/replay") => Act::ReplayQuarantine,
        ("get", "/appliances" | "/appliances/{id}") => Act::ReadAppliances,
        ("get", "/models") => Act::ReadFleet,
        ("post", "/models/budget") => Act::SetBudgets,
        ("post", "/models/release") => Act::ReleaseCalls,
        _ => panic!("{method} {path} is in no row: say what it needs"),
    };
    Needs::Role(act)
}

/// Every route with its method; those that close a ticket last.
fn routes() -> Vec<(&'static str, &'static str)> {
    let mut routes = Vec::new();
    for route in ROUTES.split(".route(\"").skip(1) {
        let (path, handlers) = route.split_once('"').unwrap();
        let handlers = handlers.split(".route").next().unwrap();
        for (method, word) in [("get", "get("), ("post", "post(")] {
            if handlers.contains(word) {
                routes.push((method, path));
            }
        }
    }
    routes.sort_by_key(|(method, path)| {
        (
            *method,
            path.contains("close") || path.contains("false") || path.contains("correction"),
        )
    });
    routes
}

async fn ask(hub: &Hub, method: &str, path: &str, who: &str) -> Response {
    let id = if path.starts_with("/tickets") {
        hub.of.ticket.to_string()
    } else {
        hub.of.washer.to_string()
    };
    let is_list = (method, path) == ("get", "/tickets");
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let form: Vec<(&str, String)> = match path.rsplit('/').next().unwrap() {
        "book" => vec![("start", "2026-03-03T01:00:00Z".to_owned())],
        "appointment" => vec![("event", "en_route".to_owned())],
        "close" => [("resolution", "no_fault_found"), ("verdict", "wrong"), ("note", "")]
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec(),
        "correction" => [
            ("resolution", "no_fault_found"),
            ("verdict", ""),
            ("reason", "the wrong line"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec(),
        "false-alarm" => vec![("note", String::new())],
        "status" => vec![("label", "waiting".to_owned())],
        "note" => vec![("text", "as it was".to_owned())],
        "promise" => [("what", "a call"), ("to", "Li"), ("by", "2099-01-01T09:00")]
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec(),
        "promise-released" | "refuse" => vec![("reason", "spoken with".to_owned())],
        "tickets" => vec![("kind", "care".to_owned()), ("note", "Descale.".to_owned())],
        "replay" => vec![("id", hub.of.held.to_string())],
        "budget" => [("tickets", "1"), ("calls", "0.05"), ("faults_percent", "1")]
            .into_iter()
            .chain(OF_ACME)
            .map(|(name, value)| (name, value.to_owned()))
            .collect(),
        "release" => [("reason", "new firmware"), ("until", "2026-03-03T09:00")]
            .into_iter()
            .chain(OF_ACME)
            .chain([("model", "washing-machine")])
            .map(|(name, value)| (name, value.to_owned()))
            .collect(),
        _ => Vec::new(),
    };
    // It waits for its visit.
    let query = if is_list { "?category=paused" } else { "" };
    send(
        hub,
        method,
        &format!("{}{query}", path.replace("{id}", &id)),
        who,
        &form,
    )
    .await
}

async fn send(hub: &Hub, method: Method, path: &str, who: &str, form: &[(&str, String)]) -> Response {
    let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let request = client
        .request(method.clone(), format!("{}{path}", hub.base))
        .header("origin", &hub.base)
        .header("cookie", format!("forecall_session={who}"));
    let request = if method == Method::POST {
        request.form(form)
    } else {
        request
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn each_page_answers_each_role_by_tenant_and_site() {
    let hub = Hub::start(PAGES).await;
    let routes = routes();
    assert!(routes.len() > 15, "{routes:?}");
    for (method, path) in routes {
        let Needs::Role(act) = needs(method, path) else {
            continue;
        };
        for role in roles() {
            for from in PLACES {
                let answer = ask(&hub, method, path, &actor(role, from).name).await;
                let told = format!("{method} {path} by {role} from {from:?}: {}", answer.status());
                let is_own = matches!(from, From::OwnTenant | From::OwnSite);
                let confined = matches!(from, From::OwnSite | From::OtherSite) && act.is_of_tenant();
                if !act.roles().contains(&role) || confined {
                    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{told}");
                } else if path.contains('{') || method == "post" && path.starts_with("/models") {
                    assert_ne!(answer.status(), StatusCode::FORBIDDEN, "{told}");
                    assert_eq!(answer.status() == StatusCode::NOT_FOUND, !is_own, "{told}");
                } else if method == "get" {
                    assert_eq!(answer.status(), StatusCode::OK, "{told}");
                    let text = answer.text().await.unwrap();
                    let of_acme = match path {
                        "/tickets" => format!("/tickets/{}", hub.of.ticket),
                        "/models" => "\"family-washing-machine\"".to_owned(),
                        // What was put aside is told with its appliance, to those too who may not have it read again.
                        _ => format!("\"/appliances/{}\"", hub.of.washer),
                    };
                    assert_eq!(text.contains(&of_acme), is_own, "{told} {text}");
                } else {
                    let told = format!("{told} {:?}", answer.headers().get("location"));
                    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{told}");
                    assert_eq!(told.contains("refused=1"), is_own, "{told}");
                }
            }
        }
    }
}

/// What a page holds as a role of the tenant is shown it, if it is.
async fn shown(hub: &Hub, path: &str, role: Role) -> Option<String> {
    let answer = send(hub, Method::GET, path, &actor(role, From::OwnTenant).name, &[]).await;
    match answer.status() {
        StatusCode::FORBIDDEN => None,
        status => {
            assert_eq!(status, StatusCode::OK, "{path} by {role}");
            Some(answer.text().await.unwrap())
        }
    }
}

/// Where the forms of a page are sent, as routes.
fn forms(page: &str) -> BTreeSet<String> {
    let targets = page.split("method=\"post\" action=\"").skip(1);
    let targets = targets.map(|rest| rest.split('"').next().unwrap());
    let route = |target: &str| {
        let is_id = |part: &str| part.parse::<Uuid>().is_ok() || part.parse::<i64>().is_ok();
        let parts = target.split('/');
        let parts: Vec<&str> = parts.map(|part| if is_id(part) { "{id}" } else { part }).collect();
        parts.join("/")
    };
    targets.map(route).collect()
}

/// A page has the forms of the administrator's that the role may send, and no others.
async fn offers_what_is_allowed(hub: &Hub, path: &str) {
    let whole = shown(hub, path, Role::Administrator).await.unwrap();
    let all = forms(&whole);
    for role in roles() {
        let Some(page) = shown(hub, path, role).await else {
            continue;
        };
        let mut allowed = all.clone();
        allowed.retain(|form| match needs("post", form) {
            Needs::Nothing | Needs::LogIn => true,
            Needs::Role(act) => act.roles().contains(&role),
        });
        assert_eq!(forms(&page), allowed, "{path} by {role}");
        for (piece, act) in [
            ("\"/quarantine", Act::ReadQuarantine),
            ("\"/models", Act::ReadFleet),
            ("value=\"cancelled\"", Act::WorkTickets),
        ] {
            let may = act.roles().contains(&role);
            let expected = may && whole.contains(piece);
            assert_eq!(page.contains(piece), expected, "{piece} on {path} by {role}");
        }
    }
}

#[tokio::test]
async fn no_page_offers_what_the_role_does_not_allow() {
    let hub = Hub::start(PAGES).await;
    let who = actor(Role::Administrator, From::OwnTenant).name;
    let post = async |path: &str, form: &[(&str, &str)]| {
        let form: Vec<(&str, String)> = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let answer = send(&hub, Method::POST, path, &who, &form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    // Beside the ticket that is in a call: one with a promise and a visit.
    let open = format!("/appliances/{}/tickets", hub.of.washer);
    let opened = post(&open, &[("kind", "care"), ("note", "Descale.")]).await;
    let promise = [("what", "a call"), ("to", "Li"), ("by", "2099-01-01T09:00")];
    post(&format!("{opened}/promise"), &promise).await;
    let page = shown(&hub, &opened, Role::Administrator).await.unwrap();
    let slot = page.split("name=\"start\" value=\"").nth(1).unwrap();
    let slot = slot.split('"').next().unwrap();
    post(&format!("{opened}/book"), &[("start", slot)]).await;
    let page = shown(&hub, &opened, Role::Administrator).await.unwrap();
    for act in ["take", "promise-kept", "appointment", "close"] {
        assert!(forms(&page).contains(&format!("/tickets/{{id}}/{act}")), "{act}");
    }
    assert!(page.contains("value=\"cancelled\""), "{page}");
    let ready = shown(&hub, "/ready-to-ring", Role::Administrator).await.unwrap();
    for act in ["approve", "refuse"] {
        assert!(forms(&ready).contains(&format!("/tickets/{{id}}/call/{act}")), "{act}");
    }
    for path in [
        "/tickets",
        "/ready-to-ring",
        &format!("/tickets/{}", hub.of.ticket),
        &opened,
        "/appliances",
        &format!("/appliances/{}", hub.of.washer),
        "/quarantine",
        "/models",
    ] {
        offers_what_is_allowed(&hub, path).await;
    }
    let outcome = [
        ("resolution", "no_fault_found"),
        ("verdict", "not_checked"),
        ("note", ""),
    ];
    post(&format!("{opened}/close"), &outcome).await;
    let page = shown(&hub, &opened, Role::Administrator).await.unwrap();
    assert!(forms(&page).contains("/tickets/{id}/correction"));
    offers_what_is_allowed(&hub, &opened).await;
}
