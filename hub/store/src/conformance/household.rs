//! Households of several persons with several numbers: who is rung, who is recognised, and that together they are rung no more
//! often than one.

use super::Harness;
use super::contact::{SCOPED, random, ring, view};
use super::scene::{PHONES, after, appliance, ended, morning, played, site, tenant, ticket};
use crate::Store;
use crate::contact::{Begun, RangIn};
use crate::site::SiteChange;
use hub_core::actor::{Actor, Role};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::consent::{Channel, Consent, Purpose, Subject};
use hub_core::contact::{AttemptEvent, Direction};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::site::Site;
use hub_core::ticket::TicketEvent;
use serde_json::{Value, json};

/// Numbers of the household: of Lin, of Mei, and one that both have.
const LIN: &str = "+8613800001111";
const MEI: &str = "+8613500005555";
const MEI_AT_WORK: &str = "+862166660000";
const BOTH: &str = "+862177770000";

/// A household of two with wm-1 and wm-4.
fn two(lin: &Value, mei: &Value) -> Site {
    home(json!([
        {"id": "lin", "name": "Lin", "language": "zh-CN", "numbers": [LIN, BOTH], "consent": lin},
        {"id": "mei", "name": "Mei", "language": "en", "numbers": [MEI, MEI_AT_WORK, BOTH], "consent": mei},
    ]))
}

fn home(persons: Value) -> Site {
    let mut site = site();
    let acme = &mut site.tenants[0];
    acme.owners.retain(|owner| owner.id != "lin");
    acme.households = serde_json::from_value(json!([{"id": "h-1", "zone": "Asia/Shanghai",
        "address": "世纪大道 1 号", "person": persons}]))
    .unwrap();
    for device in &mut acme.devices {
        if device.owner.as_deref() == Some("lin") {
            device.owner = Some("h-1".into());
        }
    }
    site
}

fn calls() -> Value {
    json!([{"purpose": "predicted_fault", "channel": "call"}])
}

fn number(digits: &str) -> PhoneNumber {
    PhoneNumber::new(digits).unwrap()
}

/// Another household has the appliances: a detector is told so, and its word counts again.
async fn learn_anew(store: &dyn Store) {
    assert!(!store.baselines_restarted().await.unwrap().is_empty());
}

pub(super) fn said(changes: &[SiteChange]) -> Vec<String> {
    let line = |change: &SiteChange| format!("{} {} {}", change.action, change.kind, change.id);
    changes.iter().map(line).collect()
}

pub(super) async fn the_first_person_who_agrees_is_rung(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let by_email =
        json!([{"purpose": "predicted_fault", "channel": "email"}, {"purpose": "appointment", "channel": "call"}]);
    let applied = store
        .apply_site(&two(&by_email, &calls()), morning(), false)
        .await
        .unwrap();
    learn_anew(&*store).await;
    assert!(
        said(&applied).contains(&"add household acme/h-1".to_owned()),
        "{applied:?}"
    );
    let id = ticket(&*store, "wm-1", 0.95).await;
    let shown = view(&*store, id).await.owner.unwrap();
    assert_eq!((shown.name.as_str(), shown.name_in_tenant.as_str()), ("Mei", "h-1"));
    let home = &shown.household;
    assert_eq!(home.address.as_ref().unwrap().reveal(), "世纪大道 1 号");
    let maker = Actor {
        roles: vec![Role::Maker],
        ..Actor::hub("zhou").within(Some(tenant("acme")))
    };
    let read = store.ticket(&maker, id, after(1)).await.unwrap().owner.unwrap();
    assert_eq!(read.household.address, None, "a maker sends nobody there");
    let names: Vec<_> = home.persons.iter().map(|person| person.name.as_str()).collect();
    assert_eq!(names, ["Lin", "Mei"]);
    let numbers: Vec<_> = home.persons[1].numbers.iter().map(|own| own.number.reveal()).collect();
    assert_eq!(numbers, [MEI, MEI_AT_WORK, BOTH]);
    let email = Subject {
        purpose: Purpose::PredictedFault,
        channel: Channel::Email,
    };
    assert_eq!(home.persons[0].consent(email), Consent::Given);
    assert_eq!(home.persons[0].consent(Subject::SERVICE_CALLS), Consent::NeverGiven);

    let order = ring(&*store, id, 0).await;
    assert_eq!(
        (order.owner.phone, order.owner.language),
        (Some(number(MEI)), Language::En)
    );
    assert_eq!(order.attempt.owner, home.persons[1].id);
    let end = ended(CallResult::NoAnswer);
    store.apply_attempt(order.attempt.id, end, after(1)).await.unwrap();
    // Nobody agrees any more.
    store
        .apply_site(&two(&by_email, &json!([])), after(2), false)
        .await
        .unwrap();
    let held = store.begin_attempt(id, after(200), random()).await.unwrap();
    assert_eq!(
        held,
        Begun::Held(HoldReason::NoConsent),
        "Lin was asked about other things alone"
    );
}

pub(super) async fn a_caller_is_known_by_any_number_of_any_person(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    store
        .apply_site(&two(&calls(), &json!([])), morning(), false)
        .await
        .unwrap();
    learn_anew(&*store).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    for (minutes, caller, name) in [(1, MEI_AT_WORK, "Mei"), (3, LIN, "Lin"), (5, BOTH, "Lin")] {
        let begun = store
            .begin_inbound(&SCOPED, &number(caller), after(minutes), random())
            .await;
        let order = begun.unwrap().order().unwrap();
        assert_eq!(
            (order.attempt.ticket, order.attempt.direction),
            (id, Direction::Inbound)
        );
        assert_eq!(
            (order.owner.name.as_str(), order.owner.phone),
            (name, Some(number(caller)))
        );
        let end = ended(CallResult::Answered);
        store
            .apply_attempt(order.attempt.id, end, after(minutes + 1))
            .await
            .unwrap();
    }
    // Numbers that are taken away are nobody's.
    let mut later = two(&calls(), &json!([]));
    later.tenants[0].households[0].persons[1].numbers.truncate(1);
    store.apply_site(&later, after(7), false).await.unwrap();
    let begun = store
        .begin_inbound(&SCOPED, &number(MEI_AT_WORK), after(8), random())
        .await;
    assert_eq!(begun.unwrap(), RangIn::Unknown);
}

/// Key 9 is of a person and of the numbers that are theirs; somebody else is rung where no number of theirs is on the list.
pub(super) async fn key_9_lists_every_number_of_the_person_and_no_other(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    store
        .apply_site(&two(&calls(), &calls()), morning(), false)
        .await
        .unwrap();
    learn_anew(&*store).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let order = ring(&*store, id, 0).await;
    assert_eq!(order.owner.name, "Lin");
    for event in [
        AttemptEvent::Answered,
        AttemptEvent::Chose(Disposition::DoNotCall),
        ended(CallResult::Answered),
    ] {
        store.apply_attempt(order.attempt.id, event, after(1)).await.unwrap();
    }
    let shown = view(&*store, id).await.owner.unwrap();
    let listed = |person: usize| -> Vec<bool> {
        let numbers = shown.household.persons[person].numbers.iter();
        numbers.map(|own| own.do_not_call).collect()
    };
    assert_eq!((listed(0), listed(1)), (vec![true, true], vec![false, false, true]));
    let lin = &shown.household.persons[0];
    for subject in Subject::calls() {
        assert_eq!(lin.consent(subject), Consent::Withdrawn, "{subject:?}");
    }
    assert_eq!((shown.name.as_str(), shown.phone), ("Mei", Some(number(MEI))));
    // What is of Lin and listed does not come back with the file.
    let again = store
        .apply_site(&two(&calls(), &calls()), after(2), false)
        .await
        .unwrap();
    assert_eq!(said(&again), [""; 0]);
}

/// A number is found, refused and compared by its one form, in whichever a site file, a claim or a carrier has it.
pub(super) async fn a_number_is_one_however_it_is_written(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let declared = |lin: &str, mei: &str| {
        home(json!([
            {"id": "lin", "name": "Lin", "language": "zh-CN", "numbers": [lin], "consent": calls()},
            {"id": "mei", "name": "Mei", "language": "en", "numbers": [mei, MEI], "consent": calls()},
        ]))
    };
    let site = declared("+86 (0)21 7777 0000", "＋８６ 21\u{200b} 7777 0000");
    store.apply_site(&site, morning(), false).await.unwrap();
    learn_anew(&*store).await;
    let respelled = declared(BOTH, "+86 021-77770000");
    assert_eq!(
        said(&store.apply_site(&respelled, after(1), false).await.unwrap()),
        [""; 0]
    );
    let id = ticket(&*store, "wm-1", 0.95).await;
    let caller = number("+86 (021) 7777-0000");
    let begun = store.begin_inbound(&SCOPED, &caller, after(2), random()).await;
    let order = begun.unwrap().order().unwrap();
    assert_eq!(order.owner.name, "Lin");
    // Never again, pressed under one spelling, holds for all.
    for event in [
        AttemptEvent::Answered,
        AttemptEvent::Chose(Disposition::DoNotCall),
        ended(CallResult::Answered),
    ] {
        store.apply_attempt(order.attempt.id, event, after(3)).await.unwrap();
    }
    let shown = view(&*store, id).await.owner.unwrap();
    let listed = |person: usize| -> Vec<bool> {
        let numbers = shown.household.persons[person].numbers.iter();
        numbers.map(|own| own.do_not_call).collect()
    };
    assert_eq!((listed(0), listed(1)), (vec![true], vec![true, false]));
    assert_eq!(shown.phone, Some(number(MEI)), "Mei is rung, but not there");
    let respelled = declared("+86-21-7777-0000", "+86 0 21 7777 0000");
    assert_eq!(
        said(&store.apply_site(&respelled, after(4), false).await.unwrap()),
        [""; 0]
    );
    assert!(view(&*store, id).await.owner.unwrap().household.persons[0].numbers[0].do_not_call);
}

pub(super) async fn a_household_is_rung_no_more_often_than_one_person(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    store
        .apply_site(&two(&calls(), &json!([])), morning(), false)
        .await
        .unwrap();
    learn_anew(&*store).await;
    let (first, second) = (ticket(&*store, "wm-1", 0.95).await, ticket(&*store, "wm-4", 0.95).await);
    let order = ring(&*store, first, 0).await;
    assert_eq!(order.owner.name, "Lin");
    // While Lin speaks, nobody else there is rung.
    store
        .apply_site(&two(&json!([]), &calls()), after(1), false)
        .await
        .unwrap();
    let waits = |begun: Begun| match begun {
        Begun::Waits { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    let begun = store.begin_attempt(second, after(1), random()).await.unwrap();
    assert_eq!(waits(begun), HoldReason::InCall);
    store
        .apply_attempt(order.attempt.id, ended(CallResult::Busy), after(2))
        .await
        .unwrap();
    let other = ring(&*store, second, 3).await;
    assert_eq!(other.owner.name, "Mei");
    store
        .apply_attempt(other.attempt.id, ended(CallResult::Busy), after(4))
        .await
        .unwrap();
    // Two a day, for all persons together.
    let begun = store.begin_attempt(first, after(60), random()).await.unwrap();
    assert_eq!(waits(begun), HoldReason::PerDay);
    // Mei declines the next day: then Lin is not rung by the program for another ticket either.
    let declined = ring(&*store, second, 25 * 60).await;
    let end = ended(CallResult::Declined);
    store
        .apply_attempt(declined.attempt.id, end, after(25 * 60 + 1))
        .await
        .unwrap();
    store
        .apply_site(&two(&calls(), &json!([])), after(25 * 60 + 2), false)
        .await
        .unwrap();
    let held = store.begin_attempt(first, after(26 * 60), random()).await.unwrap();
    assert_eq!(held, Begun::Held(HoldReason::Declined));
    let asked = TicketEvent::CallRequested;
    store
        .apply_ticket(&Actor::hub("li"), first, &asked, after(26 * 60))
        .await
        .unwrap();
    assert_eq!(ring(&*store, first, 26 * 60 + 1).await.owner.name, "Lin");
}

/// A number may stand in two households, in two spellings: calls to it are counted once.
pub(super) async fn a_number_of_two_households_is_rung_no_more_often_than_one(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let mut site = site();
    site.tenants[0].owners[1].phone = Some(number("+86 (0)138 0000 1111"));
    assert_eq!(site.tenants[0].owners[0].phone, Some(number(PHONES[0])));
    store.apply_site(&site, morning(), false).await.unwrap();
    let (of_lin, of_wang) = (ticket(&*store, "wm-1", 0.95).await, ticket(&*store, "wm-2", 0.95).await);
    let waits = async |id, minutes| match store.begin_attempt(id, after(minutes), random()).await.unwrap() {
        Begun::Waits { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    let busy = || ended(CallResult::Busy);
    let order = ring(&*store, of_lin, 0).await;
    assert_eq!(waits(of_wang, 1).await, HoldReason::InCall);
    store.apply_attempt(order.attempt.id, busy(), after(2)).await.unwrap();
    let order = ring(&*store, of_wang, 3).await;
    assert_eq!(order.owner.name_in_tenant, "wang");
    store.apply_attempt(order.attempt.id, busy(), after(4)).await.unwrap();
    assert_eq!(waits(of_lin, 60).await, HoldReason::PerDay);
}

pub(super) async fn a_household_in_the_site_file_changes_what_it_names(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let site = two(&calls(), &json!([]));
    store.apply_site(&site, after(1), false).await.unwrap();
    assert_eq!(said(&store.apply_site(&site, after(2), false).await.unwrap()), [""; 0]);
    let before = view(&*store, id).await.owner.unwrap().household.persons;

    // Mei alone is named: Lin stays, behind her. What she says now is told as hers.
    let mei = json!({"id": "mei", "name": "Mei", "language": "en", "numbers": [MEI], "consent": calls()});
    let changed = store.apply_site(&home(json!([mei])), after(3), false).await.unwrap();
    assert_eq!(
        said(&changed),
        ["change household acme/h-1", "add consent acme/h-1/mei"]
    );
    let shown = view(&*store, id).await.owner.unwrap();
    let ids: Vec<_> = shown.household.persons.iter().map(|person| person.id).collect();
    assert_eq!(ids, [before[1].id, before[0].id]);
    assert_eq!(
        (shown.name.as_str(), shown.household.persons[0].numbers.len()),
        ("Mei", 1)
    );
    assert_eq!(
        said(&store.apply_site(&home(json!([mei])), after(4), false).await.unwrap()),
        [""; 0]
    );

    // There is an end to persons that a file names and leaves.
    let more = |from: usize, count: usize| {
        let person = |n: usize| json!({"id": format!("p-{n}"), "name": "P", "language": "en"});
        home((from..from + count).map(person).collect())
    };
    store.apply_site(&more(0, 6), after(5), false).await.unwrap();
    let refused = store
        .apply_site(&more(1, 6), after(6), false)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("acme/h-1") && refused.contains("8 at most"),
        "{refused}"
    );
}

/// The short form is a household of one: the long one goes on with the same person.
pub(super) async fn an_owner_is_a_household_of_one(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let owner = view(&*store, id).await.owner.unwrap();
    assert_eq!(
        (owner.household.persons.len(), owner.household.persons[0].id),
        (1, owner.id)
    );
    let mut long = site();
    let acme = &mut long.tenants[0];
    let households = acme.owners.drain(..).map(|owner| (&owner).into());
    acme.households = households.collect();
    assert_eq!(said(&store.apply_site(&long, after(1), false).await.unwrap()), [""; 0]);
    long.tenants[0].households[0].persons[0].numbers.push(number(MEI));
    let changed = store.apply_site(&long, after(2), false).await.unwrap();
    assert_eq!(said(&changed), ["change household acme/lin"]);
    let after_it = view(&*store, id).await.owner.unwrap();
    assert_eq!((after_it.id, after_it.phone), (owner.id, Some(number(PHONES[0]))));
    assert_eq!(
        (after_it.consent, after_it.consent_at),
        (owner.consent, owner.consent_at)
    );
    let shown = store
        .appliance(&Actor::hub("test"), appliance(&*store, "acme", "wm-1").await)
        .await;
    assert_eq!(shown.unwrap().owner.as_deref(), Some("lin"));
    let stranger = store
        .begin_inbound(&tenant("beta"), &number(MEI), after(3), random())
        .await;
    assert_eq!(stranger.unwrap(), RangIn::Unknown);
}
