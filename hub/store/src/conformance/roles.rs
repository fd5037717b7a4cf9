//! Roles: each method that takes an actor, asked by each role in its own tenant and another, at its own site and another.

use super::Harness;
use super::scene::{after, morning, played, tenant};
use super::tenants::{METHODS, Shown, ask, things};
use crate::StoreError;
use crate::account::Account;
use hub_core::account::AccountError;
use hub_core::actor::{Act, Actor, Role};
use hub_core::id::AccountId;

/// What each method is to roles. A method that is not here fails the case.
fn act_of(method: &str) -> Act {
    match method {
        "appliances" | "appliance" | "baseline" | "saved_detectors" | "unplaced" | "birth" => Act::ReadAppliances,
        "findings" | "finding" => Act::ReadFindings,
        "tickets" | "ticket" | "appointments" => Act::ReadTickets,
        "contacts" => Act::ReadCalls,
        "events_after" => Act::ReadEvents,
        "commands" | "command" | "device_attributes" => Act::ReadCommands,
        "quarantine" | "held" => Act::ReadQuarantine,
        "window" | "latest" | "device_daily" => Act::ReadReadings,
        "fleet_hourly" | "budgets" | "budget" | "families_used" | "floors" | "release_tallies" | "judged_tickets" => {
            Act::ReadFleet
        }
        "device_access" | "groups" | "integrators" | "claim_credentials" | "authority_views" => Act::ReadAccess,
        "accounts" => Act::ReadAccounts,
        "add_account" | "change_account" | "set_password" | "remove_account" => Act::ChangeAccounts,
        "share_attributes" | "send_command" => Act::SendCommands,
        "open_ticket" | "apply_ticket" => Act::WorkTickets,
        "state_budget" => Act::SetBudgets,
        "release_calls" => Act::ReleaseCalls,
        "claim_owner" => Act::ClaimAppliance,
        other => panic!("{other} has no act: say which roles may"),
    }
}

/// Where somebody is who asks for what is of acme, at its service point pudong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    OwnTenant,
    OtherTenant,
    OwnSite,
    OtherSite,
}

fn actor(role: Role, from: From) -> Actor {
    let (of, sites) = match from {
        From::OwnTenant => ("acme", None),
        From::OtherTenant => ("beta", None),
        From::OwnSite => ("acme", Some(vec!["minhang".to_owned(), "pudong".to_owned()])),
        From::OtherSite => ("acme", Some(vec!["minhang".to_owned()])),
    };
    Actor {
        sites,
        roles: vec![role],
        ..Actor::hub("somebody").within(Some(tenant(of)))
    }
}

fn is_right(method: &str, from: From, may: bool, shown: &Shown) -> bool {
    let confined = matches!(from, From::OwnSite | From::OtherSite);
    if !may || confined && act_of(method).is_of_tenant() {
        // Of an account that one does not see nothing is said, not even that it may not be changed.
        return *shown == Shown::NotAllowed
            || (method, from, shown) == ("set_password", From::OtherTenant, &Shown::Nothing);
    }
    match from {
        // Authorities are made with certificates, in cases of their own; here there is none to be shown.
        From::OwnTenant | From::OwnSite if method == "authority_views" => *shown == Shown::Items(0),
        From::OwnTenant | From::OwnSite => matches!(shown, Shown::Items(1..) | Shown::It),
        // Beta has a device.
        From::OtherTenant if ["appliances", "device_access"].contains(&method) => *shown == Shown::Items(1),
        From::OtherTenant | From::OtherSite => matches!(shown, Shown::Items(0) | Shown::Nothing),
    }
}

pub(super) async fn each_method_answers_each_role_by_tenant_and_site(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let of = things(&*store).await;
    for method in METHODS {
        for role in Role::ALL {
            let may = act_of(method).roles().contains(role);
            for from in [From::OtherTenant, From::OtherSite, From::OwnSite, From::OwnTenant] {
                let shown = ask(&*store, method, &actor(*role, from), &of).await;
                assert!(
                    is_right(method, from, may, &shown),
                    "{method} by {role} from {from:?}: {shown:?}"
                );
            }
        }
    }
}

/// A ticket is read without its calls by those who may not read calls.
pub(super) async fn a_ticket_is_read_without_its_calls_by_some_roles(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let of = things(&*store).await;
    for (role, attempts) in [
        (Role::Agent, 1),
        (Role::Auditor, 1),
        (Role::Technician, 0),
        (Role::Maker, 0),
    ] {
        let view = store.ticket(&actor(role, From::OwnTenant), of.ticket, morning()).await;
        assert_eq!(view.unwrap().attempts.len(), attempts, "{role}");
    }
}

pub(super) async fn the_last_administrator_stays_and_an_account_ends_with_its_sessions(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let account = |n: u128, actor: Actor| Account {
        id: AccountId(uuid::Uuid::from_u128(n)),
        password_hash: "$argon2id$x".into(),
        actor,
    };
    let root = account(1, Actor::administrator("root"));
    let confined = Actor {
        sites: Some(vec!["pudong".to_owned()]),
        roles: vec![Role::Agent, Role::Technician],
        ..Actor::hub("li").within(Some(tenant("acme")))
    };
    let li = account(2, confined.clone());
    assert!(store.create_first_account(&root, morning()).await.unwrap());
    store.add_account(&root.actor, &li, morning()).await.unwrap();
    assert_eq!(store.account("li").await.unwrap(), Some(li.clone()));
    assert_eq!(
        store.accounts(&root.actor).await.unwrap(),
        [confined.clone(), root.actor.clone()]
    );
    // Sites and tenants that do not exist are refused by name, and an account that is there is not made again.
    let elsewhere = Actor {
        sites: Some(vec!["minhang".to_owned()]),
        ..confined.clone()
    };
    let refused = store.change_account(&root.actor, &elsewhere).await.unwrap_err();
    assert!(refused.to_string().contains("minhang"), "{refused}");
    let nowhere = confined.clone().within(Some(tenant("gamma")));
    assert!(matches!(
        store.change_account(&root.actor, &nowhere).await,
        Err(StoreError::NotFound { .. })
    ));
    let taken = store.add_account(&root.actor, &li, morning()).await;
    assert!(matches!(taken, Err(StoreError::Account(AccountError::Taken(_)))));
    // The last one who runs the hub is neither removed nor made less.
    let last = |refused| matches!(refused, Err(StoreError::Account(AccountError::LastAdministrator(_))));
    assert!(last(store.remove_account(&root.actor, "root").await));
    let less = Actor {
        roles: vec![Role::Auditor],
        ..root.actor.clone()
    };
    assert!(last(store.change_account(&root.actor, &less).await));
    // A password ends the other sessions; a removal all of them. What changed counts from the next look.
    for (token, id) in [([1; 32], li.id), ([2; 32], li.id), ([3; 32], root.id)] {
        store.open_session(token, id, after(60), morning()).await.unwrap();
    }
    store
        .set_password(&confined, "li", "$argon2id$y", Some([1; 32]))
        .await
        .unwrap();
    let of = async |token| store.session(token, morning()).await.unwrap();
    let kept = of([1; 32]).await.unwrap();
    assert_eq!((kept.password_hash.as_str(), of([2; 32]).await), ("$argon2id$y", None));
    let wider = Actor {
        sites: None,
        ..confined
    };
    store.change_account(&root.actor, &wider).await.unwrap();
    assert_eq!(of([1; 32]).await.unwrap().actor, wider);
    store.remove_account(&root.actor, "li").await.unwrap();
    assert_eq!((of([1; 32]).await, store.account("li").await.unwrap()), (None, None));
    assert_eq!(of([3; 32]).await.unwrap().actor, root.actor);
    // Another administrator, and the first may go.
    store
        .add_account(&root.actor, &account(4, Actor::administrator("second")), morning())
        .await
        .unwrap();
    store.remove_account(&root.actor, "root").await.unwrap();
}
