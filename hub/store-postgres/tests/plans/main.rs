//! No statement that runs beside the load reads more than its own rows. A hub's store is under load on a database that
//! holds much ([`fill`], [`load`]), the server tells the plan of every statement that runs ([`explain`]), and each of them
//! is judged ([`judge`]): there is no list that a statement could be missing from. The load runs once for each kind of
//! statistics and each kind of plan, and once by plans that were made while nothing was stored.
#![expect(clippy::unwrap_used, reason = "tests")]

mod challenger;
mod desk;
mod explain;
mod fill;
mod fleet;
mod judge;
mod load;
#[path = "../server/mod.rs"]
mod server;

use explain::{Mode, Plans, explained};
use fill::{Size, Statistics};
use hub_core::id::ApplianceId;
use hub_store::conformance::scene::{profiles, site, take_lease};
use hub_store::site::SiteStore;
use hub_store_postgres::{Keyring, Layout, PgConnectOptions, PostgresStore};
use jiff::SignedDuration;
use judge::{Complaint, judge};
use load::{DEVICES, Load, STEPS};
use server::{Database, Kind, Server};
use sqlx::{ConnectOptions, Connection};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

#[tokio::test]
async fn no_statement_beside_the_load_reads_more_than_its_own_rows() {
    check(Server::own().await, &Size::NATIVE, Layout::Partitions).await;
}

/// Loads by plans of a mode on a database of which the server knows so much.
const KNOWN: [Statistics; 3] = [Statistics::Empty, Statistics::Never, Statistics::Leaves];
const MODES: [Mode; 2] = [Mode::Custom, Mode::Generic];

async fn check(server: &'static Server, size: &Size, layout: Layout) {
    let plans = Plans::catch();
    let (base, devices) = Base::prepared(server, size, layout).await;
    let mut sql = base.sql().await;
    let mut found = Found::default();

    // A hub that plans everything once, while nothing is stored.
    let hub = base.hub(explained(base.0.options.clone(), Mode::Generic)).await;
    let mut load = Load {
        store: &hub,
        plans: &plans,
        devices: &devices,
        number: 0,
        now: fill::now() - SignedDuration::from_hours(24),
        is_filled: false,
    };
    load.run().await;
    plans.take();
    fill::wipe(&mut sql).await;
    fill::fill(&mut sql, size, layout == Layout::Hypertable).await;
    (load.number, load.now, load.is_filled) = (1, fill::now(), true);
    fill::keep(&mut sql, size, load.number).await;
    load.go_on().await;
    hub.close().await;
    found.judge("planned while nothing was stored", &plans);

    let mut number = 1;
    for known in KNOWN {
        for mode in MODES {
            fill::name_late_again(&mut sql).await;
            known.take(&mut sql).await;
            base.complains_of_what_is_wrong(&plans, mode).await;
            number += 1;
            fill::keep(&mut sql, size, number).await;
            let hub = base.hub(explained(base.0.options.clone(), mode)).await;
            let load = Load {
                store: &hub,
                plans: &plans,
                devices: &devices,
                number,
                now: fill::now() + SignedDuration::from_mins(30 * i64::try_from(number).unwrap()),
                is_filled: true,
            };
            load.run().await;
            hub.close().await;
            found.judge(&format!("statistics {known:?}, plans {mode:?}"), &plans);
        }
    }
    found.hold();
}

struct Base(Database);

impl Base {
    /// With a site and many appliances, nothing stored, and statistics of that; and the devices that will report.
    async fn prepared(server: &'static Server, size: &Size, layout: Layout) -> (Self, Vec<ApplianceId>) {
        let base = Self(server.fresh().await);
        let hub = base.hub(base.0.options.clone()).await;
        assert_eq!(hub.layout(), layout);
        let mut site = site();
        // Each load rings the same owner.
        site.tenants[0].call_rules.per_day_max = 100;
        hub.apply_site(&site, fill::now(), false).await.unwrap();
        let ahead = fill::now() + SignedDuration::from_hours(14 * 24);
        hub.make_partitions(size.oldest(), ahead).await.unwrap();
        hub.close().await;
        let mut sql = base.sql().await;
        if server.kind == Kind::Own {
            fill::switch_autovacuum_off(&mut sql).await;
        }
        fill::take_statistics_while_empty(&mut sql).await;
        fill::appliances(&mut sql, size).await;
        let devices = fill::devices(&mut sql, i64::try_from(DEVICES).unwrap()).await;
        (base, devices)
    }

    async fn hub(&self, options: PgConnectOptions) -> PostgresStore {
        let keyring = Keyring::open_or_create(&self.0.file("keyring")).unwrap();
        let store = PostgresStore::connect(options, keyring, profiles()).await.unwrap();
        take_lease(&store).await;
        store
    }

    /// A judge that hears nothing, or of a server that hides what it does, would find nothing wrong.
    async fn complains_of_what_is_wrong(&self, plans: &Plans, mode: Mode) {
        let mut sql = explained(self.0.options.clone(), mode).connect().await.unwrap();
        plans.step("a statement that is wrong", DEVICES);
        for wrong in [
            "select count(c1) from telemetry where c1 > $1::integer",
            "select count(*) from sequence where boot > $1::integer",
        ] {
            let count: i64 = sqlx::query_scalar(wrong).bind(-1i32).fetch_one(&mut sql).await.unwrap();
            assert!(count > 10_000, "{count}");
        }
        sql.close().await.unwrap();
        let ran = plans.take();
        assert_eq!(ran.len(), 2, "statements whose plans were told");
        for ran in ran {
            let complaint = judge(&ran.plan, ran.step.asked).expect("it reads whole tables");
            assert!(complaint.why[0].starts_with("Seq Scan on "), "{complaint:?}");
        }
    }

    /// A connection of which nobody hears plans.
    async fn sql(&self) -> sqlx::PgConnection {
        self.0.options.clone().connect().await.unwrap()
    }
}

/// What was judged, and what was found wrong.
#[derive(Default)]
struct Found {
    judged: usize,
    steps: BTreeSet<&'static str>,
    /// The worst of each statement, by step and statement, and in which loads.
    complaints: BTreeMap<(&'static str, String), (Complaint, BTreeSet<String>)>,
}

impl Found {
    /// Judges what ran since the last time.
    fn judge(&mut self, load: &str, plans: &Plans) {
        for ran in plans.take() {
            self.judged += 1;
            self.steps.insert(ran.step.name);
            let Some(complaint) = judge(&ran.plan, ran.step.asked) else {
                continue;
            };
            let key = (ran.step.name, complaint.statement.clone());
            let (worst, loads) = self
                .complaints
                .entry(key)
                .or_insert_with(|| (complaint.clone(), BTreeSet::new()));
            loads.insert(load.to_owned());
            if complaint.blocks > worst.blocks {
                *worst = complaint;
            }
        }
    }

    /// Every step has run, and no statement is complained of.
    fn hold(&self) {
        eprintln!("{} statements were judged", self.judged);
        for step in STEPS {
            assert!(self.steps.contains(step), "nothing was told of: {step}");
        }
        let mut said = String::new();
        for ((step, statement), (complaint, loads)) in &self.complaints {
            let Complaint {
                blocks, allowed, why, ..
            } = complaint;
            let _ = write!(said, "\n{step}: {blocks} blocks, {allowed} allowed; {statement}\n");
            for line in why.iter().chain(loads) {
                let _ = writeln!(said, "    {line}");
            }
        }
        assert!(
            said.is_empty(),
            "{} statements read more than their own rows:\n{said}",
            self.complaints.len()
        );
    }
}
