//! A life: what a hub's database goes through in six weeks, by the store's own methods and at times that are always the
//! same. It leaves rows in every table.
//!
//! The databases that earlier commits leave are kept as fixtures (`fixtures/README.md`), and tests look in them for what
//! is told here. So a life is added to; what is in it stays as it is. It is led by a test of hub-moving, which moves it to
//! another database after the first week.

mod budgets;
mod credentials;
mod devices;
mod people;
mod readings;
mod site;

pub use credentials::{CLAIM_TOKEN, GROUP_KEY, INTEGRATOR_TOKEN};
pub use people::{alarm, ticket_of};
pub use readings::{SAMPLES, hole, run, tail};
pub use site::{NUMBER_OF_WANG_LATER, PHONES, profiles};

use super::server::Database;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::profile::ApplianceProfile;
use hub_store::lease::LeaseStore;
use hub_store::site::SiteStore;
use hub_store_postgres::{Keyring, PostgresStore};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Keys that everybody knows: whatever a fixture has sealed opens with them.
const TEST_KEYRING: &str = include_str!("../fixtures/test-keyring.json");

/// 10:00 in Shanghai on the first day, a Monday, and on so many days after it. The life ends on day 42.
pub fn day(number: i64) -> Timestamp {
    let first: Timestamp = "2026-01-05T02:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(24 * number)
}

/// So many minutes after 10:00 on that day.
pub fn at(number: i64, minutes: i64) -> Timestamp {
    day(number) + SignedDuration::from_mins(minutes)
}

/// The first week, with one key in the keyring. At its end the hub is moved to another database.
pub async fn first_week(database: &Database) -> PostgresStore {
    put_keyring(&database.file("keyring"), 1);
    let store = hub(database, site::first_profiles(), day(0)).await;
    store.apply_site(&site::site(), day(0), false).await.unwrap();
    credentials::give(&store).await;
    readings::report(&store, 0..7).await;
    store
}

/// The other five, where the hub was moved to and is killed once. The keyring gets another key.
pub async fn other_weeks(database: &Database) {
    let store = hub(database, site::first_profiles(), day(7)).await;
    people::second_and_third_week(&store).await;
    readings::report(&store, 7..21).await;
    let cut_off = people::rings_when_it_is_killed(&store).await;
    drop(store);

    put_keyring(&database.file("keyring"), 2);
    let store = hub(database, profiles(), day(21)).await;
    store.apply_site(&site::later_site(), day(21), false).await.unwrap();
    people::after_the_restart(&store, cut_off).await;
    readings::report(&store, 21..42).await;
    devices::say_more(&store).await;
    people::last_days(&store).await;
    budgets::are_stated(&store).await;
    readings::are_swept(&store).await;
    readings::wait_for_their_readers(&store).await;
    store.close().await;
}

/// The hub on a database, which has the lease.
async fn hub(database: &Database, profiles: BTreeMap<String, ApplianceProfile>, now: Timestamp) -> PostgresStore {
    let store = PostgresStore::connect(database.options.clone(), keyring(database), profiles)
        .await
        .unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while store.take_lease(now).await.unwrap().is_none() {
        assert!(Instant::now() < until, "another hub has this database");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store
}

/// The keyring beside a database.
pub fn keyring(database: &Database) -> Keyring {
    Keyring::open(&database.file("keyring")).unwrap()
}

/// Puts the test keyring there, with so many of its keys, oldest first.
pub fn put_keyring(file: &Path, keys: usize) {
    let mut ring: serde_json::Value = serde_json::from_str(TEST_KEYRING).unwrap();
    ring["keys"].as_array_mut().unwrap().truncate(keys);
    std::fs::write(file, ring.to_string()).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

/// The appliance of a device, named as `tenant/device`.
pub async fn appliance(store: &PostgresStore, name: &str) -> ApplianceId {
    let (of, id) = name.split_once('/').unwrap();
    store.appliance_by_name(&tenant(of), &device(id)).await.unwrap().id
}
