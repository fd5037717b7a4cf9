//! Tenants stay apart: each method that takes an actor refuses or hides what is another tenant's. The table names every one
//! of them, which a test compares with the traits.

use super::Harness;
use super::budget;
use super::door::{device, token};
use super::floors;
use super::scene::{
    PHONES, after, alarm, appliance, has_a_quiet_past, message, morning, played, quarantine, seen, stored, tenant,
};
use crate::account::Account;
use crate::appointment::AppointmentFilter;
use crate::birth::StateContent;
use crate::budget::CallRelease;
use crate::claim::{Opener, OwnerContact};
use crate::contact::{Begun, RangIn};
use crate::credential::ClaimGrant;
use crate::error::Result;
use crate::event::EventCursor;
use crate::page::Page;
use crate::quarantine::QuarantineFilter;
use crate::reading::Window;
use crate::telemetry::{Command, Ingest, Quarantined};
use crate::ticket::TicketFilter;
use crate::{Store, StoreError};
use hub_core::account::AccountError;
use hub_core::actor::{Actor, Role};
use hub_core::budget::Budgets;
use hub_core::call_result::Disposition;
use hub_core::contact::AttemptEvent;
use hub_core::id::{AccountId, ApplianceId, FindingId, TicketId};
use hub_core::language::Language;
use hub_core::outcome::{Resolution, Verdict};
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::{TicketEvent, TicketKind};
use serde_json::{Map, json};
use std::time::{Duration, Instant};

/// What a reader was shown of acme's things.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// This much of a list.
    Items(usize),
    /// The one thing that was asked for.
    It,
    /// That there is no such thing.
    Nothing,
    /// That no role of theirs allows it.
    NotAllowed,
}

fn list<T>(items: Result<Vec<T>>) -> Shown {
    items.map_or_else(|error| refused(&error), |items| Shown::Items(items.len()))
}

fn page<T>(page: Result<Page<T>>) -> Shown {
    list(page.map(|page| page.items))
}

fn one<T>(one: Result<T>) -> Shown {
    one.map_or_else(|error| refused(&error), |_| Shown::It)
}

fn refused(error: &StoreError) -> Shown {
    match error {
        StoreError::NotFound { .. } | StoreError::Account(AccountError::Unknown(_)) => Shown::Nothing,
        StoreError::NotAllowed(_) | StoreError::Account(AccountError::NotAllowed(_)) => Shown::NotAllowed,
        other => panic!("{other:?}"),
    }
}

/// What of acme's each method asks for.
pub struct Things {
    pub washer: ApplianceId,
    pub finding: FindingId,
    pub ticket: TicketId,
    pub held: i64,
    pub head: EventCursor,
}

/// Something of acme's for each method to show. Beta has a device only.
pub async fn things(store: &dyn Store) -> Things {
    let acme = tenant("acme");
    let head = store.event_head().await.unwrap();
    let washer = appliance(store, "acme", "wm-1").await;
    let alarm = seen(vec![alarm(washer, "drain_pump_wear", 0.95)]);
    let change = store.commit_scoring(&alarm, morning()).await.unwrap().remove(0);
    let ticket = change.opened.unwrap();
    has_a_quiet_past(store).await;
    let begun = store.begin_attempt(ticket, morning(), [9; 20]).await.unwrap();
    let Begun::Ring(order) = begun else {
        panic!("{begun:?}");
    };
    let one = AttemptEvent::Chose(Disposition::AppointmentBooked);
    store.apply_attempt(order.attempt.id, one, morning()).await.unwrap();
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
    store
        .add_account(&Actor::hub("test"), &account("kim"), morning())
        .await
        .unwrap();
    closed(store).await;
    budget::keep(store, budget::stopped(), &[]).await;
    floors::learned(store, "acme").await;
    // Transactions of tests beside hide events for as long as they are open.
    let until = Instant::now() + Duration::from_secs(10);
    while store
        .events_after(&Actor::hub("test"), head, 200)
        .await
        .unwrap()
        .is_empty()
    {
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

/// A ticket of acme that was closed, of which the fleet learns.
async fn closed(store: &dyn Store) {
    let other = appliance(store, "acme", "wm-2").await;
    let alarm = seen(vec![alarm(other, "drain_pump_wear", 0.95)]);
    let change = store.commit_scoring(&alarm, morning()).await.unwrap().remove(0);
    let false_alarm = TicketEvent::Closed {
        outcome: budget::outcome(Resolution::FalseAlarm, Verdict::Wrong),
    };
    let hub = Actor::hub("test");
    store
        .apply_ticket(&hub, change.opened.unwrap(), &false_alarm, morning())
        .await
        .unwrap();
}

/// Somebody of acme who talks to owners.
fn account(name: &str) -> Account {
    let digest = name.bytes().fold(0, |sum, byte| sum * 256 + u128::from(byte));
    Account {
        id: AccountId(uuid::Uuid::from_u128(digest)),
        password_hash: "$argon2id$x".into(),
        actor: Actor {
            roles: vec![Role::Agent],
            ..Actor::hub(name).within(Some(tenant("acme")))
        },
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

/// Methods that take an actor, each asked for what [`things`] made. Those that change something come last.
pub const METHODS: [&str; 45] = [
    "appliances",
    "appliance",
    "saved_detectors",
    "findings",
    "finding",
    "tickets",
    "ticket",
    "appointments",
    "contacts",
    "events_after",
    "commands",
    "command",
    "device_attributes",
    "quarantine",
    "held",
    "unplaced",
    "birth",
    "baseline",
    "window",
    "latest",
    "fleet_hourly",
    "device_daily",
    "device_access",
    "groups",
    "integrators",
    "claim_credentials",
    "authority_views",
    "budgets",
    "budget",
    "families_used",
    "floors",
    "release_tallies",
    "judged_tickets",
    "state_budget",
    "release_calls",
    "accounts",
    "add_account",
    "change_account",
    "set_password",
    "remove_account",
    "share_attributes",
    "send_command",
    "open_ticket",
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

pub(super) async fn ask(store: &dyn Store, method: &str, actor: &Actor, of: &Things) -> Shown {
    let (now, hub) = (morning(), Actor::hub("test"));
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
        "appliances" => page(store.appliances(actor, None, 200).await),
        "appliance" => one(store.appliance(actor, of.washer).await),
        "saved_detectors" => one(store.saved_detectors(actor, of.washer).await),
        "findings" => page(store.findings(actor, None, 200).await),
        "finding" => one(store.finding(actor, of.finding).await),
        "tickets" => page(store.tickets(actor, &TicketFilter::default(), None, 200).await),
        "ticket" => one(store.ticket(actor, of.ticket, now).await),
        "appointments" => {
            let filter = AppointmentFilter {
                from: now,
                until: after(28 * 24 * 60),
                service_point: None,
            };
            page(store.appointments(actor, &filter, None, 200).await)
        }
        "contacts" => page(store.contacts(actor, None, 200).await),
        "events_after" => list(store.events_after(actor, of.head, 200).await),
        "commands" => one(store.commands(actor, of.washer, None, 200, now).await),
        "command" => one(store.command(actor, of.washer, "first", now).await),
        "device_attributes" => one(store.device_attributes(actor, of.washer).await),
        "quarantine" => page(store.quarantine(actor, &QuarantineFilter::default(), None, 200).await),
        "held" => list(store.held(actor, &[of.held]).await),
        "unplaced" => one(store.unplaced(actor, of.washer).await),
        "birth" => one(store.birth(actor, of.washer).await),
        "baseline" => one(store.baseline(actor, of.washer).await),
        "window" => one(store.window(actor, of.washer, &window()).await),
        "latest" => one(store.latest(actor, of.washer).await),
        "fleet_hourly" => {
            let asked = store.fleet_hourly(actor, &acme, "washing-machine", "phase", now, after(60));
            one(asked.await)
        }
        "device_daily" => one(store.device_daily(actor, of.washer, "phase", now, after(60)).await),
        "device_access" => page(store.device_access(actor, None, 200).await),
        "groups" => list(store.groups(actor).await),
        "integrators" => list(store.integrators(actor).await),
        "claim_credentials" => list(store.claim_credentials(actor).await),
        // Authorities are made with certificates, in cases of their own; here there is none to be shown.
        "authority_views" => list(store.authority_views(actor).await),
        "share_attributes" => one(store.share_attributes(actor, of.washer, &values, now).await),
        "send_command" => one(store.send_command(actor, of.washer, &command("second"), now).await),
        "open_ticket" => {
            let opened = store.open_ticket(actor, of.washer, TicketKind::Care, "Descale.", now);
            one(opened.await)
        }
        "apply_ticket" => one(store.apply_ticket(actor, of.ticket, &TicketEvent::Taken, now).await),
        "claim_owner" => {
            store
                .open_claim(of.washer, Opener::Maker, "4711", after(60), now)
                .await
                .unwrap();
            one(store.claim_owner(actor, &acme, &washer, "4711", &contact, now).await)
        }
        "budgets" => list(store.budgets(actor, &acme).await),
        "budget" => one(store.budget(actor, &acme, budget::FAMILY).await),
        "families_used" => {
            let names = [budget::FAMILY.to_owned()];
            list(store.families_used(actor, &acme, &names).await)
        }
        "floors" => list(store.floors(actor, &acme).await),
        "release_tallies" => list(store.release_tallies(actor, &acme).await),
        "judged_tickets" => list(store.judged_tickets(actor, &acme).await),
        "state_budget" => {
            let budgets = Budgets::default();
            one(store
                .state_budget(actor, &acme, budget::FAMILY, budgets, 0.02, now)
                .await)
        }
        "release_calls" => {
            let release = CallRelease {
                family: budget::FAMILY.to_owned(),
                model: budget::FAMILY.to_owned(),
                reason: "new firmware".to_owned(),
                until: after(60),
            };
            one(store.release_calls(actor, &acme, &release, now).await)
        }
        "accounts" => list(store.accounts(actor).await),
        "add_account" => {
            let added = one(store.add_account(actor, &account("new"), now).await);
            if added == Shown::It {
                store.remove_account(&hub, "new").await.unwrap();
            }
            added
        }
        "change_account" => one(store.change_account(actor, &account("kim").actor).await),
        "set_password" => one(store.set_password(actor, "kim", "$argon2id$y", None).await),
        "remove_account" => {
            let removed = one(store.remove_account(actor, "kim").await);
            if removed == Shown::It {
                store.add_account(&hub, &account("kim"), now).await.unwrap();
            }
            removed
        }
        other => panic!("{other} is asked by nobody"),
    }
}

/// What beta is shown of its own: it has a device, and with it one line of two lists.
fn own_of_beta(method: &str) -> usize {
    usize::from(["appliances", "device_access"].contains(&method))
}

pub(super) async fn every_method_that_takes_an_actor_hides_the_other_tenant(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let of = things(&*store).await;
    let beta = Actor::hub("test").within(Some(tenant("beta")));
    for method in METHODS {
        let shown = ask(&*store, method, &beta, &of).await;
        let hidden = match &shown {
            Shown::Items(count) => *count == own_of_beta(method),
            Shown::Nothing => true,
            Shown::It | Shown::NotAllowed => false,
        };
        assert!(hidden, "{method} shows another tenant's: {shown:?}");
    }
    // Nothing that was refused has happened, and the tenant itself, as the administrator, is shown all of it.
    let view = store.ticket(&Actor::hub("test"), of.ticket, morning()).await.unwrap();
    assert_eq!(
        (view.ticket.assignee, view.appliance.owner.as_deref()),
        (None, Some("lin"))
    );
    assert_eq!(
        store
            .commands(&Actor::hub("test"), of.washer, None, 9, morning())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    assert!(
        store
            .device_attributes(&Actor::hub("test"), of.washer)
            .await
            .unwrap()
            .shared
            .is_empty()
    );
    for actor in [Actor::hub("test").within(Some(tenant("acme"))), Actor::hub("test")] {
        for method in METHODS.into_iter().filter(|method| *method != "authority_views") {
            let shown = ask(&*store, method, &actor, &of).await;
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
        RangIn::Unknown
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
