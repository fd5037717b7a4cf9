//! A household takes its appliance into its own name.

use super::Harness;
use super::door::device;
use super::scene::{PHONES, after, alarm, appliance, morning, played, seen, site, tenant};
use crate::Store;
use crate::StoreError;
use crate::claim::{ClaimedOwner, Opener, OwnerContact};
use hub_core::actor::Actor;
use hub_core::consent::{Consent, KEY_9};
use hub_core::id::ApplianceId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use jiff::Timestamp;

const NEW: &str = "+8613700004444";

fn contact(phone: &str, consent: bool) -> OwnerContact {
    OwnerContact {
        name: "Chen Wei".into(),
        phone: PhoneNumber::new(phone).unwrap(),
        language: Language::ZhCn,
        zone: "Asia/Shanghai".into(),
        consent,
    }
}

async fn claim(
    store: &dyn Store,
    code: &str,
    contact: &OwnerContact,
    now: Timestamp,
) -> Result<ClaimedOwner, StoreError> {
    let scope = Actor::hub("test").within(Some(tenant("acme")));
    store
        .claim_owner(&scope, &tenant("acme"), &device("wm-1"), code, contact, now)
        .await
}

async fn open(store: &dyn Store, opener: Opener, code: &str) -> ApplianceId {
    let id = appliance(store, "acme", "wm-1").await;
    store.open_claim(id, opener, code, after(10), morning()).await.unwrap();
    id
}

fn is_refused(told: Result<ClaimedOwner, StoreError>, why: &str) {
    match told {
        Err(StoreError::Refused(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("{other:?} instead of {why}"),
    }
}

pub(super) async fn who_knows_the_code_becomes_the_owner_with_what_they_allow(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = open(&*store, Opener::Device, "4711").await;
    let claimed = claim(&*store, "4711", &contact(NEW, true), after(1)).await.unwrap();
    assert_eq!((claimed.appliance, claimed.consent), (id, Consent::Given));
    let view = store.appliance(&Actor::hub("test"), id).await.unwrap();
    assert_eq!(view.owner, Some(format!("claim-{}", claimed.owner)));
    // The detector starts over: another household uses it in another way.
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    let alarm = seen(vec![alarm(id, "x", 0.95)]);
    let opened = store.commit_scoring(&alarm, after(1)).await.unwrap()[0].opened;
    let told = store
        .ticket(&Actor::hub("test"), opened.unwrap(), after(1))
        .await
        .unwrap();
    let owner = told.owner.unwrap();
    assert_eq!((owner.id, owner.name.as_str()), (claimed.owner, "Chen Wei"));
    assert_eq!((owner.language, owner.zone.as_str()), (Language::ZhCn, "Asia/Shanghai"));
    assert_eq!(owner.phone, Some(PhoneNumber::new(NEW).unwrap()));
    assert_eq!((owner.consent, owner.consent_at), (Consent::Given, Some(after(1))));
    is_refused(
        claim(&*store, "4711", &contact(NEW, true), after(2)).await,
        "no claim is open",
    );
}

pub(super) async fn five_wrong_codes_close_a_claim(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    open(&*store, Opener::Device, "4711").await;
    for _ in 0..5 {
        is_refused(claim(&*store, "0000", &contact(NEW, true), morning()).await, "wrong");
    }
    is_refused(
        claim(&*store, "4711", &contact(NEW, true), morning()).await,
        "no claim is open",
    );
    let id = appliance(&*store, "acme", "wm-1").await;
    let view = store.appliance(&Actor::hub("test"), id).await.unwrap();
    assert_eq!(view.owner.as_deref(), Some("lin"));
    open(&*store, Opener::Device, "4712").await;
    claim(&*store, "4712", &contact(NEW, false), morning()).await.unwrap();
}

pub(super) async fn a_printed_code_and_the_devices_own_stand_beside_each_other_and_end(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = open(&*store, Opener::Maker, "printed-code").await;
    open(&*store, Opener::Device, "4711").await;
    is_refused(
        claim(&*store, "printed-code", &contact(NEW, true), after(10)).await,
        "no claim is open",
    );
    claim(&*store, "printed-code", &contact(NEW, true), after(9))
        .await
        .unwrap();
    is_refused(
        claim(&*store, "4711", &contact(NEW, true), after(9)).await,
        "no claim is open",
    );
    let day = 24 * 60;
    for (opener, code, minutes) in [
        (Opener::Device, "123", 10),
        (Opener::Device, "4711", day + 1),
        (Opener::Device, "4711", 0),
        (Opener::Maker, "4711", 11 * 365 * day),
    ] {
        let told = store.open_claim(id, opener, code, after(minutes), morning()).await;
        assert!(
            matches!(told, Err(StoreError::Refused(_))),
            "{opener:?} {code} {minutes}"
        );
    }
    store
        .open_claim(id, Opener::Maker, "4711", after(5 * 365 * day), morning())
        .await
        .unwrap();
}

pub(super) async fn a_claim_does_not_undo_what_somebody_withdrew(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    open(&*store, Opener::Device, "4711").await;
    // Lin is known by this number and had agreed; then took it back by phone.
    store
        .set_consent(&tenant("acme"), "lin", false, "phone_key_9", morning())
        .await
        .unwrap();
    // Here they write it as it is dialled at home.
    let plan = store
        .number_plan(&tenant("acme"), "Asia/Shanghai")
        .await
        .unwrap()
        .unwrap();
    let national = OwnerContact {
        phone: plan.read_own("138 0000 1111").unwrap(),
        ..contact(PHONES[1], true)
    };
    let claimed = claim(&*store, "4711", &national, after(1)).await.unwrap();
    assert_eq!(claimed.consent, Consent::Withdrawn);
    let view = store.appliance(&Actor::hub("test"), claimed.appliance).await.unwrap();
    assert_eq!(view.owner.as_deref(), Some("lin"), "the same person, not another one");
    // A "no" always counts.
    open(&*store, Opener::Device, "4711").await;
    let claimed = claim(&*store, "4711", &contact(PHONES[1], false), after(1))
        .await
        .unwrap();
    assert_eq!(claimed.consent, Consent::Withdrawn);
}

/// Whom a site file lists without consent has refused nothing by that; what they refuse themselves stands.
pub(super) async fn what_a_site_file_took_back_can_be_given_by_a_claim(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let mut less = site();
    let lin = &mut less.tenants[0].owners[0];
    lin.consent_to_calls = false;
    store.apply_site(&less, after(1), false).await.unwrap();
    open(&*store, Opener::Device, "4711").await;
    let claimed = claim(&*store, "4711", &contact(PHONES[0], true), after(2))
        .await
        .unwrap();
    assert_eq!(claimed.consent, Consent::Given);
    // The same file again says nothing new.
    let again = store.apply_site(&less, after(3), false).await.unwrap();
    assert!(again.iter().all(|change| change.kind != "consent"), "{again:?}");
    // Key 9, and then a file that takes the same back: the person's own word stands.
    store.apply_site(&site(), after(4), false).await.unwrap();
    store
        .set_consent(&tenant("acme"), "lin", false, KEY_9, after(5))
        .await
        .unwrap();
    store.apply_site(&less, after(6), false).await.unwrap();
    open(&*store, Opener::Device, "4711").await;
    let claimed = claim(&*store, "4711", &contact(PHONES[0], true), after(7))
        .await
        .unwrap();
    assert_eq!(claimed.consent, Consent::Withdrawn);
}

/// By which numbers without country code are read, where the tenant serves.
pub(super) async fn a_tenant_has_the_number_plan_of_its_trunk(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let plan = async |id: &str, zone: &str| store.number_plan(&tenant(id), zone).await.unwrap();
    let declared = site().tenants.remove(0).trunk.unwrap().number_plan;
    assert!(declared.is_some());
    assert_eq!(plan("acme", "Asia/Shanghai").await, declared);
    assert_eq!(plan("acme", "Europe/Berlin").await, None, "others dial other numbers");
    assert_eq!(plan("beta", "Asia/Shanghai").await, None, "has no trunk");
    assert_eq!(plan("nobody", "Asia/Shanghai").await, None);
}

pub(super) async fn a_claim_is_made_within_ones_tenant_and_with_a_name_and_a_zone(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    open(&*store, Opener::Device, "4711").await;
    let (acme, wm1) = (tenant("acme"), device("wm-1"));
    let good = contact(NEW, true);
    let beta = Actor::hub("test").within(Some(tenant("beta")));
    let told = store.claim_owner(&beta, &acme, &wm1, "4711", &good, morning()).await;
    assert!(matches!(told, Err(StoreError::NotFound { .. })));
    let told = store
        .claim_owner(&beta, &tenant("beta"), &wm1, "4711", &good, morning())
        .await;
    is_refused(told, "no claim is open");
    let nowhere = OwnerContact {
        zone: "Mars/Olympus".into(),
        ..good.clone()
    };
    is_refused(claim(&*store, "4711", &nowhere, morning()).await, "IANA");
    let nameless = OwnerContact {
        name: "  ".into(),
        ..good.clone()
    };
    is_refused(claim(&*store, "4711", &nameless, morning()).await, "name");
    claim(&*store, "4711", &good, morning()).await.unwrap();
}
