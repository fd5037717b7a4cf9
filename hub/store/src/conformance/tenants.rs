//! Tenants stay apart: each method that takes a scope refuses or hides what is another tenant's. The table names every one
//! of them, which a test compares with the traits.

use super::Harness;
use super::door::{device, token};
use super::scene::{PHONES, after, alarm, appliance, message, morning, played, quarantine, seen, stored, tenant};
use crate::birth::StateContent;
use crate::claim::{Opener, OwnerContact};
use crate::contact::Begun;
use crate::credential::ClaimGrant;
use crate::error::Result;
use crate::event::EventCursor;
use crate::quarantine::QuarantineFilter;
use crate::reading::Window;
use crate::scope::Page;
use crate::telemetry::{Command, Ingest, Quarantined};
use crate::ticket::TicketFilter;
use crate::{Scope, Store, StoreError};
use hub_core::id::{ApplianceId, FindingId, TicketId};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::TicketEvent;
use serde_json::{Map, json};
use std::time::{Duration, Instant};

/// What a reader was shown of acme's things.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    /// This much of a list.
    Items(usize),
    /// The one thing that was asked for.
    It,
    /// That there is no such thing.
    Nothing,
}

fn list<T>(items: Result<Vec<T>>) -> Shown {
    Shown::Items(items.unwrap().len())
}

fn page<T>(page: Result<Page<T>>) -> Shown {
    Shown::Items(page.unwrap().items.len())
}

fn one<T>(one: Result<T>) -> Shown {
    match one {
        Ok(_) => Shown::It,
        Err(StoreError::NotFound { .. }) => Shown::Nothing,
        Err(other) => panic!("{other:?}"),
    }
}

/// What of acme's each method asks for.
struct Things {
    washer: ApplianceId,
    finding: FindingId,
    ticket: TicketId,
    held: i64,
    head: EventCursor,
}

/// Something of acme's for each method to show. Beta has a device only.
async fn things(store: &dyn Store) -> Things {
    let acme = tenant("acme");
    let head = store.event_head().await.unwrap();
    let washer = appliance(store, "acme", "wm-1").await;
    let alarm = seen(vec![alarm(washer, "drain_pump_wear", 0.95)]);
    let change = store.commit_scoring(&alarm, morning()).await.unwrap().remove(0);
    let ticket = change.opened.unwrap();
    let begun = store.begin_attempt(ticket, morning(), [9; 20]).await.unwrap();
    assert!(matches!(begun, Begun::Ring(_)));
    let bad = Ingest::Quarantine(Quarantined {
        appliance: washer,
        topic: "d/wm-1/t".into(),
        payload: b"?".to_vec(),
        reason: "not CBOR".into(),
        received_at: morning(),
    });
    let readings = Ingest::Telemetry(message(washer, 1, 0, 3));
    assert_eq!(store.ingest(&[bad, readings]).await.unwrap(), [stored(1), stored(3)]);
    store.queue_command(washer, &command("first"), morning()).await.unwrap();
    store
        .open_claim(washer, Opener::Maker, "4711", after(60), morning())
        .await
        .unwrap();
    store
        .add_group(&acme, "line", &[1; 32], "washing-machine", true, morning())
        .await
        .unwrap();
    let filters = ["d/+/t".to_owned()];
    store
        .add_integrator(&acme, "erp", &token("int_"), &filters, morning())
        .await
        .unwrap();
    let grant = ClaimGrant {
        profile: "washing-machine".into(),
        expires_at: after(60),
        uses: 1,
        replace: false,
    };
    store
        .add_claim_credential(&acme, "line", &token("claim_"), &grant, morning())
        .await
        .unwrap();
    // Transactions of tests beside hide events for as long as they are open.
    let until = Instant::now() + Duration::from_secs(10);
    while store.events_after(&Scope::All, head, 200).await.unwrap().is_empty() {
        assert!(Instant::now() < until, "there is no event to show");
        store.event_arrived(Duration::from_millis(20)).await;
    }
    Things {
        washer,
        finding: change.finding.id,
        ticket,
        held: quarantine(store).await[0].number,
        head,
    }
}

fn command(request: &str) -> Command {
    Command {
        number: 0,
        sent: false,
        takes_cbor: false,
        request: request.into(),
        body: "{}".into(),
        expires_at: after(60),
    }
}

/// Methods that take a scope, each asked for what [`things`] made. Those that change something come last.
pub const METHODS: [&str; 28] = [
    "appliances",
    "appliance",
    "findings",
    "finding",
    "tickets",
    "ticket",
    "contacts",
    "events_after",
    "commands",
    "command",
    "device_attributes",
    "quarantine",
    "held",
    "unplaced",
    "birth",
    "window",
    "latest",
    "fleet_hourly",
    "device_daily",
    "device_access",
    "groups",
    "integrators",
    "claim_credentials",
    "authority_views",
    "share_attributes",
    "send_command",
    "apply_ticket",
    "claim_owner",
];

fn window() -> Window {
    Window {
        channels: Vec::new(),
        from: morning(),
        to: after(60),
        points: 10,
    }
}

async fn ask(store: &dyn Store, method: &str, scope: &Scope, of: &Things) -> Shown {
    let now = morning();
    let (acme, washer) = (tenant("acme"), device("wm-1"));
    let values: Map<_, _> = json!({ "mode": "eco" }).as_object().unwrap().clone();
    let contact = OwnerContact {
        name: "Chen Wei".into(),
        phone: PhoneNumber::new(PHONES[0]).unwrap(),
        language: Language::ZhCn,
        zone: "Asia/Shanghai".into(),
        consent: true,
    };
    match method {
        "appliances" => page(store.appliances(scope, None, 200).await),
        "appliance" => one(store.appliance(scope, of.washer).await),
        "findings" => page(store.findings(scope, None, 200).await),
        "finding" => one(store.finding(scope, of.finding).await),
        "tickets" => page(store.tickets(scope, &TicketFilter::default(), None, 200).await),
        "ticket" => one(store.ticket(scope, of.ticket, now).await),
        "contacts" => page(store.contacts(scope, None, 200).await),
        "events_after" => list(store.events_after(scope, of.head, 200).await),
        "commands" => one(store.commands(scope, of.washer, None, 200, now).await),
        "command" => one(store.command(scope, of.washer, "first", now).await),
        "device_attributes" => one(store.device_attributes(scope, of.washer).await),
        "quarantine" => page(store.quarantine(scope, &QuarantineFilter::default(), None, 200).await),
        "held" => list(store.held(scope, &[of.held]).await),
        "unplaced" => one(store.unplaced(scope, of.washer).await),
        "birth" => one(store.birth(scope, of.washer).await),
        "window" => one(store.window(scope, of.washer, &window()).await),
        "latest" => one(store.latest(scope, of.washer).await),
        "fleet_hourly" => {
            let asked = store.fleet_hourly(scope, &acme, "washing-machine", "phase", now, after(60));
            one(asked.await)
        }
        "device_daily" => one(store.device_daily(scope, of.washer, "phase", now, after(60)).await),
        "device_access" => page(store.device_access(scope, None, 200).await),
        "groups" => list(store.groups(scope).await),
        "integrators" => list(store.integrators(scope).await),
        "claim_credentials" => list(store.claim_credentials(scope).await),
        // Authorities are made with certificates, in cases of their own; here there is none to be shown.
        "authority_views" => list(store.authority_views(scope).await),
        "share_attributes" => one(store.share_attributes(scope, of.washer, &values, now).await),
        "send_command" => one(store.send_command(scope, of.washer, &command("second"), now).await),
        "apply_ticket" => one(store
            .apply_ticket(scope, of.ticket, &TicketEvent::Taken, "eve", now)
            .await),
        "claim_owner" => one(store.claim_owner(scope, &acme, &washer, "4711", &contact, now).await),
        other => panic!("{other} is asked by nobody"),
    }
}

/// What beta is shown of its own: it has a device, and with it one line of two lists.
fn own_of_beta(method: &str) -> usize {
    usize::from(["appliances", "device_access"].contains(&method))
}

pub(super) async fn every_method_that_takes_a_scope_hides_the_other_tenant(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let of = things(&*store).await;
    let beta = Scope::Tenant(tenant("beta"));
    for method in METHODS {
        let shown = ask(&*store, method, &beta, &of).await;
        let hidden = match &shown {
            Shown::Items(count) => *count == own_of_beta(method),
            Shown::Nothing => true,
            Shown::It => false,
        };
        assert!(hidden, "{method} shows another tenant's: {shown:?}");
    }
    // Nothing that was refused has happened, and the tenant itself, as the administrator, is shown all of it.
    let view = store.ticket(&Scope::All, of.ticket, morning()).await.unwrap();
    assert_eq!(
        (view.ticket.assignee, view.appliance.owner.as_deref()),
        (None, Some("lin"))
    );
    assert_eq!(
        store
            .commands(&Scope::All, of.washer, None, 9, morning())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    assert!(
        store
            .device_attributes(&Scope::All, of.washer)
            .await
            .unwrap()
            .shared
            .is_empty()
    );
    for scope in [Scope::Tenant(tenant("acme")), Scope::All] {
        for method in METHODS.into_iter().filter(|method| *method != "authority_views") {
            // What can be done once was done by the tenant.
            if scope == Scope::All && method == "claim_owner" {
                continue;
            }
            let shown = ask(&*store, method, &scope, &of).await;
            let (Shown::Items(1..) | Shown::It) = shown else {
                panic!("{method} does not show its own: {shown:?}");
            };
        }
    }
}

/// A tenant's own lists by its name: what a credential or a device name says, not a scope.
pub(super) async fn names_of_one_tenant_lead_to_nothing_of_another(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let beta = tenant("beta");
    let of = things(&*store).await;
    let said = Ingest::State {
        appliance: of.washer,
        payload: b"on".to_vec(),
        content: StateContent::Other,
        retain: true,
        at: morning(),
    };
    store.ingest(&[said]).await.unwrap();
    assert!(store.retained_states(&beta, None, 10).await.unwrap().is_empty());
    let caller = PhoneNumber::new(PHONES[0]).unwrap();
    assert_eq!(
        store.begin_inbound(&beta, &caller, morning(), [1; 20]).await.unwrap(),
        None
    );
    let told = [
        one(store.set_consent(&beta, "lin", false, "console", morning()).await),
        one(store.rotate_secret(&beta, &device("wm-2"), "x", None, morning()).await),
        one(store.retire_secret(&beta, &device("wm-2")).await),
        one(store.revoke_device(&beta, &device("wm-2"), true, morning()).await),
        one(store.join_group(&beta, &device("wm-1"), "line", morning()).await),
        one(store.rotate_group(&beta, "line", &[2; 32]).await),
        one(store.group_secret(&beta, "line", &device("wm-1")).await),
        one(store.revoke_integrator(&beta, "erp").await),
        one(store.revoke_claim_credential(&beta, "line").await),
        one(store.appliance_by_name(&beta, &device("wm-2")).await),
    ];
    assert!(told.iter().all(|told| *told == Shown::Nothing), "{told:?}");
}
