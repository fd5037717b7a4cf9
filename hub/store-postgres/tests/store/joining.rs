//! Numbers that an earlier version kept as they were written behind the country code, and what a start makes of them.

use crate::support::{Base, after, alarm, appliance, morning, played, seen, site, tenant};
use hub_core::actor::Actor;
use hub_core::consent::Subject;
use hub_core::id::DeviceId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{DeclaredHousehold, DeclaredPerson, OWNER, Site};
use hub_store::claim::{ClaimStore, Opener, OwnerContact};
use hub_store::contact::ContactStore;
use hub_store::prediction::PredictionStore;
use hub_store::site::SiteStore;
use hub_store_postgres::{Joined, PostgresStore};
use sqlx::{Executor, PgConnection, Row};

/// One number, as it is and as it was kept.
const LONDON: &str = "+442079460018";
const LONDON_BEFORE: &str = "+4402079460018";

fn household(id: &str, numbers: &[&str]) -> DeclaredHousehold {
    let person = DeclaredPerson {
        id: OWNER.to_owned(),
        name: format!("Person {id}"),
        numbers: numbers
            .iter()
            .map(|number| PhoneNumber::kept(number).unwrap())
            .collect(),
        language: Language::En,
        consent: vec![Subject::SERVICE_CALLS],
    };
    DeclaredHousehold {
        id: id.to_owned(),
        address: None,
        zone: "Europe/London".to_owned(),
        persons: vec![person],
    }
}

/// `e` is the number of a household whose spelling somebody has corrected.
fn declared(e: &str) -> Site {
    let mut site = site();
    let acme = &mut site.tenants[0];
    acme.households = vec![
        household("a", &[LONDON_BEFORE]),
        household("b", &[LONDON]),
        household("c", &[LONDON_BEFORE, LONDON, "+8613800005555"]),
        household("d", &["+9991234567"]),
        household("e", &[e]),
        household("f", &["+8613800006666"]),
    ];
    acme.devices[0].owner = Some("a".to_owned());
    site
}

/// The owner of `a` has pressed 9, and so had the one of `e`, before the spelling of their number was corrected.
const BEFORE: &str = "
    insert into do_not_call select n.tenant, n.number_index, '2026-02-01Z', 'phone_key_9' from phone n
        join person p on p.id = n.person join household h on h.id = p.household where h.name_in_tenant in ('a', 'e');
    insert into consent (tenant, person, purpose, channel, at, given, source)
        select p.tenant, p.id, 'predicted_fault', 'call', '2026-02-01Z', false, 'phone_key_9'
        from person p join household h on h.id = p.household where h.name_in_tenant = 'a';
";

/// As the number of `e` was corrected, earlier versions took no refusal along.
const FORGOTTEN: &str = "
    delete from do_not_call d using phone n, person p, household h where n.tenant = d.tenant and n.number_index = d.phone_index
        and p.id = n.person and h.id = p.household and h.name_in_tenant = 'e';
";

/// What was so before is kept beside, and every row that is written counts as a step, of which one can be made to fail.
const KEEP: &str = "
    update phone set canonical = false;
    create table kept_phone as select * from phone;
    create table kept_list as select * from do_not_call;
    create table kept_consent as select * from consent;
    create sequence step;
    create table fails (at bigint);
    insert into fails values (0);
    create function fail() returns trigger language plpgsql as $$
        begin
            if nextval('step') = (select at from fails) then raise exception 'cut off'; end if;
            return coalesce(new, old);
        end
    $$;
    create trigger step before insert or update or delete on phone for each row execute function fail();
    create trigger step before insert or update or delete on do_not_call for each row execute function fail();
    create trigger step before insert or update or delete on consent for each row execute function fail();
";

const AGAIN: &str = "
    update fails set at = 0;
    delete from phone; delete from do_not_call; delete from consent;
    insert into phone select * from kept_phone;
    insert into do_not_call select * from kept_list;
    insert into consent overriding system value select * from kept_consent;
    alter sequence step restart;
";

async fn lived_in() -> (Base, PostgresStore) {
    let (base, store) = played().await;
    let mut conn = base.sql().await;
    store
        .apply_site(&declared("+86013800007777"), morning(), false)
        .await
        .unwrap();
    conn.execute(BEFORE).await.unwrap();
    store
        .apply_site(&declared("+8613800007777"), after(1), false)
        .await
        .unwrap();
    conn.execute(FORGOTTEN).await.unwrap();
    conn.execute(KEEP).await.unwrap();
    (base, store)
}

/// All that is looked up by a number, in the order in which it counts; without what is sealed.
async fn look(conn: &mut PgConnection) -> Vec<String> {
    let mut lines = Vec::new();
    for query in [
        "select row(person, rank, tenant, number_index, canonical)::text from phone order by person, rank",
        "select d::text from do_not_call d order by tenant, phone_index",
        "select row(person, purpose, channel, at, given, source)::text from consent order by person, number",
    ] {
        let rows = sqlx::query(query).fetch_all(&mut *conn).await.unwrap();
        lines.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    lines
}

#[tokio::test]
async fn numbers_that_are_one_are_joined_and_a_refusal_under_either_holds() {
    let (base, store) = lived_in().await;
    let joined = Joined {
        numbers: 11,
        respelled: 2,
        twice: 1,
        refusals: 2,
        withdrawals: 2,
    };
    assert_eq!(store.join_numbers(500).await.unwrap(), joined);
    assert_eq!(store.join_numbers(500).await.unwrap(), Joined::default());
    let listed =
        "select count(*) from phone n join do_not_call d on d.tenant = n.tenant and d.phone_index = n.number_index";
    assert_eq!(base.number(listed).await, 4);
    let withdrawn = "select count(*) from consent where not given and source = 'numbers_joined' and at = '2026-02-01Z'";
    assert_eq!(base.number(withdrawn).await, 2);
    assert_eq!(base.number("select count(*) from phone where not canonical").await, 0);
    // The file in its spelling of now is what is stored.
    let mut now = declared("+8613800007777");
    for household in &mut now.tenants[0].households {
        let numbers = &mut household.persons[0].numbers;
        *numbers = numbers
            .iter()
            .map(|number| PhoneNumber::new(number.reveal()).unwrap_or_else(|_| number.clone()))
            .collect();
        numbers.dedup();
    }
    assert_eq!(store.apply_site(&now, after(2), false).await.unwrap(), []);
    // Numbers open in their form of now, and owners are found by them.
    store.baselines_restarted().await.unwrap();
    let id = appliance(&store, "acme", "wm-1").await;
    let alarms = seen(vec![alarm(id, "x", 0.95)]);
    store.commit_scoring(&alarms, after(3)).await.unwrap();
    let caller = PhoneNumber::new("+44 (0)20 7946 0018").unwrap();
    let order = store.begin_inbound(&tenant("acme"), &caller, after(4), [7; 20]).await;
    let owner = order.unwrap().order().unwrap().owner;
    assert_eq!((owner.name_in_tenant.as_str(), owner.phone), ("a", Some(caller)));
    assert!(owner.do_not_call);
}

/// The household of the number comes, or comes back, after the start that has joined what was there.
#[tokio::test]
async fn a_refusal_in_the_form_of_before_holds_for_a_number_that_is_written_later() {
    let (base, store) = played().await;
    let mut conn = base.sql().await;
    let listed = "select count(*) from phone n join do_not_call d on d.tenant = n.tenant and d.phone_index = n.number_index \
         where d.at = '2026-02-01Z' and d.source = 'phone_key_9'";
    let apply = async |e: &str, minutes| store.apply_site(&declared(e), after(minutes), false).await.unwrap();
    apply("+86013800007777", 0).await;
    conn.execute(BEFORE).await.unwrap();
    // Two have the number of `a`, one that of `e`.
    assert_eq!(base.number(listed).await, 3);
    apply("+8613800007777", 1).await;
    assert_eq!(base.number(listed).await, 3, "by a site file");

    conn.execute(FORGOTTEN).await.unwrap();
    apply("+8613800009999", 2).await;
    assert_eq!(base.number(listed).await, 2);
    let id = appliance(&store, "acme", "wm-1").await;
    store
        .open_claim(id, Opener::Device, "4711", after(9), after(3))
        .await
        .unwrap();
    let contact = OwnerContact {
        name: "Chen Wei".to_owned(),
        phone: PhoneNumber::new("+86 138 0000 7777").unwrap(),
        language: Language::ZhCn,
        zone: "Asia/Shanghai".to_owned(),
        consent: true,
    };
    let wm1 = DeviceId::new("wm-1").unwrap();
    store
        .claim_owner(&Actor::hub("test"), &tenant("acme"), &wm1, "4711", &contact, after(4))
        .await
        .unwrap();
    assert_eq!(base.number(listed).await, 3, "by a claim");
}

#[tokio::test]
async fn joining_that_is_cut_off_at_any_step_goes_on_to_the_same_end() {
    let (base, store) = lived_in().await;
    let mut conn = base.sql().await;
    store.join_numbers(500).await.unwrap();
    let at_once = look(&mut conn).await;
    let mut cut_off = 0_i64;
    loop {
        conn.execute(AGAIN).await.unwrap();
        let fails = sqlx::query("update fails set at = $1").bind(cut_off + 1);
        fails.execute(&mut conn).await.unwrap();
        let first = store.join_numbers(1).await;
        if first.is_err() {
            cut_off += 1;
            store.join_numbers(1).await.unwrap();
        }
        assert_eq!(look(&mut conn).await, at_once, "cut off at step {cut_off}");
        if first.is_ok() {
            break;
        }
    }
    assert!(cut_off > 15, "only {cut_off} steps");
    // A start does it, before anything else is asked of it.
    conn.execute(AGAIN).await.unwrap();
    base.beside().await.close().await;
    assert_eq!(look(&mut conn).await, at_once);
}
