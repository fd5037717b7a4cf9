//! A site of several batches: what is written of it, what is waited for, and what an end in the middle leaves.

use crate::support::{Base, PHONES, after, appliance, morning, played, site};
use hub_core::actor::Actor;
use hub_core::consent::Consent;
use hub_core::id::DeviceId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{Device, Owner, Site};
use hub_store::StoreError;
use hub_store::claim::{ClaimStore, Opener, OwnerContact};
use hub_store::credential::DeviceCredentials;
use hub_store::prediction::PredictionStore;
use hub_store::site::{SiteChange, SiteStore};
use hub_store_postgres::{LeftOut, PostgresStore, Progress, SITE_BATCH};
use sqlx::{Connection, Executor};
use tokio::sync::Notify;

/// Two batches and a half.
const DEVICES: usize = SITE_BATCH * 5 / 2;

/// The site with so many devices in place of its first tenant's, each with an owner who agrees to calls.
fn large(devices: usize) -> Site {
    let mut site = site();
    let acme = &mut site.tenants[0];
    let owner = |n: usize| Owner {
        id: format!("o-{n}"),
        name: format!("Person {n}"),
        phone: Some(PhoneNumber::new(&format!("+8613800{n:06}")).unwrap()),
        language: Language::En,
        zone: "Asia/Shanghai".into(),
        consent_to_calls: true,
    };
    let device = |n: usize| Device {
        id: DeviceId::new(format!("d-{n}")).unwrap(),
        profile: "washing-machine".into(),
        model: None,
        owner: Some(format!("o-{n}")),
        service_point: Some("pudong".into()),
        secret_sha256: Some(format!("{n:064x}")),
    };
    acme.owners = (0..devices).map(owner).collect();
    acme.devices = (0..devices).map(device).collect();
    site
}

/// Changes of things with numbers, as lists show them.
fn said(changes: &[SiteChange]) -> Vec<String> {
    let lines = changes.iter();
    lines.map(|c| format!("{} {} {}", c.action, c.kind, c.id)).collect()
}

async fn apply(store: &PostgresStore, site: &Site) -> Vec<String> {
    said(&store.apply_site(site, morning(), false).await.unwrap())
}

/// From now on each statement that writes households, consent or devices is noted, and each change of the tally's row.
async fn watch(base: &Base) {
    let mut conn = base.sql().await;
    conn.execute("create table noted (what text, transaction text)")
        .await
        .unwrap();
    conn.execute(
        "create function note() returns trigger language plpgsql as $$ begin \
           insert into noted values (tg_table_name || ' ' || lower(tg_op), pg_current_xact_id()::text); \
           return null; end $$",
    )
    .await
    .unwrap();
    for (table, each) in [
        ("household", "statement"),
        ("person", "statement"),
        ("phone", "statement"),
        ("consent", "statement"),
        ("appliance", "statement"),
        ("appliance_status", "statement"),
        ("device_tally", "row"),
    ] {
        conn.execute(
            format!("create trigger noted after insert or update on {table} for each {each} execute function note()")
                .as_str(),
        )
        .await
        .unwrap();
    }
}

/// What was noted since the last look, how often each, and in how many transactions.
async fn noted(base: &Base) -> (Vec<(String, i64)>, i64) {
    let mut conn = base.sql().await;
    let counts = sqlx::query_as("select what, count(*) from noted group by what order by what")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let transactions = base.number("select count(distinct transaction) from noted").await;
    conn.execute("delete from noted").await.unwrap();
    (counts, transactions)
}

fn counts(of: &[(&str, i64)]) -> Vec<(String, i64)> {
    of.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_large_site_is_some_statements_a_batch_and_the_tally_once() {
    let (base, store) = played().await;
    watch(&base).await;
    let mut site = large(DEVICES);
    let (owners, devices) = (0..DEVICES, 0..DEVICES);
    let people = owners.flat_map(|n| [format!("add owner acme/o-{n}"), format!("add consent acme/o-{n}")]);
    let all: Vec<String> = people
        .chain(devices.map(|n| format!("add device acme/d-{n}")))
        .collect();
    let dry = said(&store.apply_site(&site, morning(), true).await.unwrap());
    assert!(dry == all, "{} would change", dry.len());
    assert_eq!(noted(&base).await, (Vec::new(), 0), "a dry run writes nothing");
    assert!(
        apply(&store, &site).await == all,
        "what is told is not what would change"
    );
    let statements = [
        ("appliance insert", 3),
        ("appliance_status insert", 3),
        ("consent insert", 3),
        ("device_tally update", 3),
        ("household insert", 3),
        // Of the same statement, which changes those that are there.
        ("household update", 3),
        ("person insert", 3),
        ("person update", 3),
        ("phone insert", 3),
    ];
    assert_eq!(noted(&base).await, (counts(&statements), 6));
    let tallied = "select devices - (select count(*) from appliance where tenant = 'acme') from device_tally \
                   where tenant = 'acme'";
    assert_eq!(base.number(tallied).await, 0);

    assert_eq!(apply(&store, &site).await, [""; 0]);
    assert_eq!(
        noted(&base).await,
        (Vec::new(), 0),
        "nothing is new, and something is written"
    );

    let middle = DEVICES / 2;
    site.tenants[0].owners[middle].name = "Somebody else".into();
    site.tenants[0].devices[middle + 1].service_point = None;
    let told = [
        format!("change owner acme/o-{middle}"),
        format!("change device acme/d-{}", middle + 1),
    ];
    assert_eq!(apply(&store, &site).await, told);
    let statements = [("appliance update", 1), ("person insert", 1), ("person update", 1)];
    assert_eq!(noted(&base).await, (counts(&statements), 2));
    let others = "select count(*) from appliance where tenant = 'acme' and service_point is null";
    assert_eq!(base.number(others).await, 1);
    assert_eq!(apply(&store, &site).await, [""; 0]);
}

#[tokio::test]
async fn a_file_with_more_devices_than_there_is_room_for_changes_nothing_and_names_the_first() {
    let (base, store) = played().await;
    // It has four.
    let full = "update tenant set device_max = 4 + 7 where id = 'acme'";
    base.sql().await.execute(full).await.unwrap();
    let mut more = large(8);
    more.tenants[0].visit_price.amount += 1;
    // What is there already takes no more room.
    more.tenants[0].devices.insert(0, site().tenants[0].devices[0].clone());
    more.tenants[0].owners.push(site().tenants[0].owners[0].clone());
    for dry_run in [true, false] {
        let refused = store.apply_site(&more, morning(), dry_run).await;
        assert!(
            matches!(&refused, Err(StoreError::Refused(why)) if why.contains("acme") && why.contains("d-7:")),
            "{refused:?}"
        );
        assert_eq!(apply(&store, &site()).await, [""; 0], "something is left of it");
        assert_eq!(base.number("select count(*) from household").await, 3);
    }
    more.tenants[0].devices.pop();
    assert_eq!(apply(&store, &more).await.len(), 1 + 8 * 2 + 7);
    assert_eq!(
        base.number("select devices from device_tally where tenant = 'acme'")
            .await,
        11
    );
}

#[tokio::test]
async fn what_is_cut_off_is_whole_batches_and_the_same_file_finishes_it() {
    let (base, store) = played().await;
    let site = large(DEVICES);
    let (cut, mut kept, mut told) = (Notify::new(), Vec::new(), Vec::new());
    let mut tell = |progress: Progress<'_>| {
        told.push(format!(
            "{} {} of {:?} {}",
            progress.what, progress.done, progress.all, progress.unit
        ));
        if progress.unit == "devices" {
            cut.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = cut.notified() => {}
        done = store.apply_site_telling(&site, morning(), false, &mut kept, &mut tell) => panic!("not cut: {done:?}"),
    }
    let count = |query: &'static str| base.number(query);
    let batch = i64::try_from(SITE_BATCH).unwrap();
    assert_eq!(kept.len(), 2 * DEVICES + SITE_BATCH, "what is kept is told");
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(
        told.last(),
        Some(&format!("acme {SITE_BATCH} of Some({DEVICES}) devices"))
    );
    let devices = "select count(*) from appliance a join appliance_status s on s.appliance = a.id \
                   join household h on h.id = a.household where a.tenant = 'acme'";
    let tally = "select devices from device_tally where tenant = 'acme'";
    assert_eq!((count(devices).await, count(tally).await), (4 + batch, 4 + batch));
    let rest: Vec<String> = (SITE_BATCH..DEVICES)
        .map(|n| format!("add device acme/d-{n}"))
        .collect();
    assert!(apply(&store, &site).await == rest);
    assert_eq!(apply(&store, &site).await, [""; 0]);
    let all = i64::try_from(4 + DEVICES).unwrap();
    assert_eq!((count(devices).await, count(tally).await), (all, all));
}

/// Scoring and dialling hold the appliance, dialling its household too.
#[tokio::test]
async fn what_a_file_does_not_change_is_not_waited_for() {
    let (base, store) = played().await;
    if !base
        .database
        .server
        .is_concurrent("what_a_file_does_not_change_is_not_waited_for")
    {
        return;
    }
    let mut other = base.sql().await;
    let mut held = other.begin().await.unwrap();
    held.execute("select from appliance where device = 'wm-1' for no key update")
        .await
        .unwrap();
    held.execute("select from household where name_in_tenant = 'lin' for update")
        .await
        .unwrap();
    let mut site = site();
    site.tenants[0].owners[1].name = "Somebody else".into();
    site.tenants[0].devices[1].service_point = None;
    assert_eq!(
        apply(&store, &site).await,
        ["change owner acme/wang", "change device acme/wm-2"]
    );
    held.rollback().await.unwrap();
}

/// Each has findings and tickets to look at, so a transaction has fewer of them.
#[tokio::test]
async fn many_baselines_begin_again_in_several_transactions() {
    const MOVED: usize = SITE_BATCH / 10 * 9 / 4;
    let (base, store) = played().await;
    let mut site = large(MOVED + 1);
    apply(&store, &site).await;
    watch(&base).await;
    for device in &mut site.tenants[0].devices[1..] {
        device.owner = Some("o-0".into());
    }
    assert_eq!(apply(&store, &site).await.len(), MOVED);
    assert_eq!(noted(&base).await, (counts(&[("appliance update", 3)]), 3));
    assert_eq!(store.baselines_restarted().await.unwrap().len(), MOVED);
}

/// 100,000 devices get their secrets in one pass, and one that has something, or shall have nothing, keeps to that.
#[tokio::test]
async fn each_device_with_nothing_to_come_in_with_gets_a_secret_once() {
    let (base, store) = played().await;
    let mut site = large(DEVICES);
    let bare = site.tenants[0].devices.iter_mut().skip(10);
    bare.for_each(|device| device.secret_sha256 = None);
    apply(&store, &site).await;
    let acme = &site.tenants[0];
    let revoked = &acme.devices[20].id;
    store.revoke_device(&acme.id, revoked, true, morning()).await.unwrap();
    let names: Vec<&str> = acme.devices.iter().map(|device| device.id.as_str()).collect();
    let held = store.devices_with_credential(&acme.id, &names).await.unwrap();
    assert!(held.len() == 11 && held.contains(&revoked.to_string()), "{held:?}");
    let drawn = acme
        .devices
        .iter()
        .map(|device| (device.id.clone(), format!("of {}", device.id)));
    let drawn: Vec<(DeviceId, String)> = drawn.collect();
    for part in drawn.chunks(SITE_BATCH) {
        let bare = part.iter().filter(|(device, _)| !held.contains(&device.to_string()));
        let given = store.give_secrets(&acme.id, part).await.unwrap();
        assert_eq!(given, bare.count());
        assert_eq!(store.give_secrets(&acme.id, part).await.unwrap(), 0, "once");
    }
    let works = "select count(*) from appliance where secret_sha256 = sha256(convert_to('of ' || device, 'UTF8'))";
    assert_eq!(base.number(works).await, i64::try_from(DEVICES - 11).unwrap());
    assert_eq!(apply(&store, &site).await, [""; 0], "the file does not take them back");
}

/// What a file leaves out is retired when that is asked for, and what no file has declared is not.
#[tokio::test]
async fn devices_that_the_file_does_not_name_any_more_are_retired() {
    let (base, store) = played().await;
    let site = large(DEVICES);
    apply(&store, &site).await;
    let acme = &site.tenants[0];
    let own = Device {
        id: DeviceId::new("by-hand").unwrap(),
        ..acme.devices[0].clone()
    };
    store.add_device(&acme.id, &own, "s", morning()).await.unwrap();
    // Those of the file that was applied before.
    let earlier = store.no_longer_declared(acme).await.unwrap();
    assert_eq!(
        earlier.iter().map(DeviceId::as_str).collect::<Vec<_>>(),
        ["wm-1", "wm-2", "wm-3", "wm-4"]
    );
    let gone_in_all = DEVICES - 1 + earlier.len();
    let mut less = site.clone();
    less.tenants[0].devices.truncate(1);
    assert_eq!(apply(&store, &less).await, [""; 0], "what is not named stays");
    let gone = store.no_longer_declared(&less.tenants[0]).await.unwrap();
    assert_eq!(gone.len(), gone_in_all);
    for some in gone.chunks(SITE_BATCH) {
        store.retire_devices(&acme.id, some, morning()).await.unwrap();
    }
    let revoked = "select count(*) from appliance where revoked";
    assert_eq!(base.number(revoked).await, i64::try_from(gone_in_all).unwrap());
    let told = "select count(*) from access_change where kind = 'device'";
    assert!(base.number(told).await >= i64::try_from(gone_in_all).unwrap());
    assert_eq!(store.no_longer_declared(&less.tenants[0]).await.unwrap(), []);
}

/// Nobody is rung over a trunk that is gone, nor since a file once said that they may be; what people said themselves stands.
#[tokio::test]
async fn the_trunk_and_persons_that_the_file_does_not_name_any_more_are_retired() {
    let (base, store) = played().await;
    let whole = site();
    let acme = &whole.tenants[0];
    assert!(!store.has_trunk_left_out(acme).await.unwrap());
    assert_eq!(store.persons_left_out(acme).await.unwrap(), []);
    let mut less = acme.clone();
    less.trunk = None;
    less.owners.retain(|owner| owner.id == "lin");
    let left_out = async || store.persons_left_out(&less).await.unwrap();
    let households = |gone: &[LeftOut]| gone.iter().map(|one| one.household.clone()).collect::<Vec<_>>();

    let gone = left_out().await;
    assert_eq!(households(&gone), ["wang"], "zhao has never agreed");
    store.retire_persons(&acme.id, &gone, after(1)).await.unwrap();
    assert_eq!(left_out().await, []);
    let taken_back = "select count(*) from consent c join person p on p.id = c.person join household h on h.id = p.household \
         where h.name_in_tenant = 'wang' and not c.given and c.source = 'site_file'";
    assert_eq!(base.number(taken_back).await, 1);
    assert!(store.has_trunk_left_out(&less).await.unwrap());
    store.retire_trunk(&acme.id).await.unwrap();
    assert!(!store.has_trunk_left_out(&less).await.unwrap());
    assert_eq!(store.trunks().await.unwrap(), []);
    assert_eq!(base.number("select count(*) from phone").await, 3, "numbers stay");

    // Named again, both come back.
    assert_eq!(
        apply(&store, &whole).await,
        ["add trunk acme", "change consent acme/wang"]
    );
    assert_eq!(households(&left_out().await), ["wang"]);
    store
        .set_consent(&acme.id, "wang", true, "owner claim", after(2))
        .await
        .unwrap();
    assert_eq!(left_out().await, [], "they said so themselves");
}

/// Whom the file left out has refused nothing by that: a claim says yes for them.
#[tokio::test]
async fn who_was_retired_may_agree_by_a_claim() {
    let (_base, store) = played().await;
    let mut acme = site().tenants.remove(0);
    acme.owners.retain(|owner| owner.id == "lin");
    let gone = store.persons_left_out(&acme).await.unwrap();
    store.retire_persons(&acme.id, &gone, after(1)).await.unwrap();
    let id = appliance(&store, "acme", "wm-2").await;
    store
        .open_claim(id, Opener::Device, "4711", after(9), after(2))
        .await
        .unwrap();
    let contact = OwnerContact {
        name: "Person wang".to_owned(),
        phone: PhoneNumber::new(PHONES[1]).unwrap(),
        language: Language::ZhCn,
        zone: "Asia/Shanghai".to_owned(),
        consent: true,
    };
    let wm2 = DeviceId::new("wm-2").unwrap();
    let claimed = store
        .claim_owner(&Actor::hub("test"), &acme.id, &wm2, "4711", &contact, after(3))
        .await
        .unwrap();
    assert_eq!(claimed.consent, Consent::Given);
    assert_eq!(store.persons_left_out(&acme).await.unwrap(), []);
}
