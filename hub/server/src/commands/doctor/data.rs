//! Keyring, models and the database.

use super::found::Found;
use super::trunk;
use crate::config::Config;
use crate::database::{Opened, cluster_options, open_beside};
use crate::keyring;
use crate::models::refused;
use anyhow::{Context, Result, bail, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::host::HostPort;
use hub_core::id::TenantId;
use hub_core::site::Trunk;
use hub_predict::Registry;
use hub_store::event::EventStore;
use hub_store::lease::{LeaseState, LeaseStore};
use hub_store::site::SiteStore;
use hub_store_postgres::{Cluster, DatabaseFacts, Keyring, KeyringError};
use hub_voice::whereabouts::{at_any_port, look_up};
use jiff::Timestamp;

/// Oldest major version that the hub is tested with.
const VERSION_MIN: i32 = 15;
/// Connections that a hub and a command beside it take, with some to spare for people.
const CONNECTIONS_MIN: i32 = 30;
/// What a hub takes: its pool, those that only read, those of the front door, the scorer's, the one that changes sessions, the
/// writer, the lease, and one that refreshes aggregates.
const CONNECTIONS_OF_HUB: i64 = 25;
/// Our clock and the database's may differ by this, which covers the way there and back.
const CLOCK_DIFFERENCE_MAX_S: i64 = 2;

pub(super) fn models(config: &Config) -> Result<Found> {
    let registry = Registry::load(&config.models_dir)?;
    let refused: Vec<String> = refused(&registry).into_values().collect();
    if !refused.is_empty() {
        bail!(refused.join("; "));
    }
    let versions: Vec<_> = registry
        .families()
        .map(|(_, model)| model.version().to_owned())
        .collect();
    Found::ok(versions.join(", "))
}

pub(super) async fn keyring(config: &Config) -> Result<Found> {
    let file = keyring::file(config);
    if file.exists() {
        Keyring::open(&file)?;
        return Found::ok(format!("{}, nobody else may read it", file.display()));
    }
    if keyring::data_are_there(config).await? {
        return Err(KeyringError::Missing { path: file }.into());
    }
    Found::ok("none yet: made at the first start".to_owned())
}

pub(super) async fn server(config: &Config) -> Result<Found> {
    let found = Cluster::find_server(&config.state_dir, cluster_options(config)).await?;
    Found::ok(found)
}

/// Opening it sees to durability and schema; what else is asked is reported one line a thing.
pub(super) async fn database(config: &Config) -> Vec<(&'static str, Result<Found>)> {
    match Cluster::exists(&config.state_dir) {
        Ok(false) if config.database_url.is_none() => {
            return vec![(
                "database",
                Found::ok("no database yet: made at the first start".to_owned()),
            )];
        }
        Err(error) if config.database_url.is_none() => return vec![("database", Err(error.into()))],
        _ => {}
    }
    if !keyring::file(config).exists() {
        return vec![("database", unopened(config).await)];
    }
    let opened = match open_beside(config).await {
        Ok(opened) => opened,
        Err(error) => return vec![("database", Err(error))],
    };
    let found = look(&opened, config).await;
    let closed = opened.close().await;
    let mut found = found.unwrap_or_else(|error| vec![("database", Err(error))]);
    if let Err(error) = closed {
        found.push(("database", Err(error)));
    }
    found
}

/// A database that there is no keyring for: whether it answers can be asked of a given one.
async fn unopened(config: &Config) -> Result<Found> {
    if config.database_url.is_some() && !keyring::data_are_there(config).await? {
        return Found::ok("answers, and is empty: filled at the first start".to_owned());
    }
    Found::ok("not looked into: there is no keyring to open it with".to_owned())
}

async fn look(opened: &Opened, config: &Config) -> Result<Vec<(&'static str, Result<Found>)>> {
    opened.store.healthy().await?;
    let trunks = opened.store.trunks().await?;
    let names = names(&trunks, config.sip.is_ipv4()).await;
    let answers = trunk::answers(config, &trunks).await;
    let facts = opened.store.facts().await?;
    let ours = SystemClock.now();
    Ok(vec![
        (
            "database",
            Found::ok(format!("answers, schema is current; {} trunk(s)", trunks.len())),
        ),
        ("trunk names", names),
        ("trunk answers", answers),
        ("lease", lease(&opened.store.lease_state().await?, ours)),
        ("database version", version(&facts)),
        ("database durability", durability(&facts)),
        ("database encoding", encoding(&facts)),
        ("database rights", rights(&facts, opened.is_given())),
        ("database host", host(&facts)),
        ("database extension", extension(&facts)),
        ("database pages", pages(&facts)),
        ("database connections", connections(&facts)),
        ("database clock", clock(facts.clock, ours)),
    ])
}

/// Whether the names of trunks' proxies and further hosts have addresses, of the kind that the hub's own is of.
async fn names(trunks: &[(TenantId, Trunk)], is_ipv4: bool) -> Result<Found> {
    let mut said = Vec::new();
    for (tenant, trunk) in trunks {
        let mut hosts = vec![trunk.proxy.clone()];
        hosts.extend(trunk.addresses.iter().map(at_any_port));
        hosts.retain(|host| matches!(host, HostPort::Name { .. }));
        for host in hosts {
            let found = look_up(&host, is_ipv4).await;
            let found = found.with_context(|| format!("the trunk of tenant {}", tenant.as_str()))?;
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            said.push(format!("{host} is {}", found.join(", ")));
        }
    }
    if said.is_empty() {
        said.push("every trunk is declared by its address".to_owned());
    }
    Found::ok(said.join("; "))
}

/// Who works on the database. That nobody does is no fault: the hub may not run.
fn lease(state: &LeaseState, ours: Timestamp) -> Result<Found> {
    if let Some(at) = state.taken_at
        && at.duration_since(ours).as_secs() >= CLOCK_DIFFERENCE_MAX_S
    {
        return Found::warn(format!(
            "a hub took it at {at}, which is still to come: this machine's clock is behind, or was ahead then"
        ));
    }
    let since = state.taken_at.map(|at| format!(" since {at}")).unwrap_or_default();
    Found::ok(match (state.held, state.holder) {
        (true, Some(holder)) => format!("hub {holder} works on the database{since}, token {}", state.token),
        (true, None) => "a hub is just starting".to_owned(),
        (false, Some(holder)) => format!("free; last held by hub {holder}{since}, token {}", state.token),
        (false, None) => "free; no hub has worked on this database yet".to_owned(),
    })
}

fn version(facts: &DatabaseFacts) -> Result<Found> {
    let major = facts.version_number / 10_000;
    if major < VERSION_MIN {
        return Found::warn(format!(
            "{}: the hub is tested with {VERSION_MIN} and later; upgrade",
            facts.version
        ));
    }
    Found::ok(facts.version.clone())
}

fn durability(facts: &DatabaseFacts) -> Result<Found> {
    for (setting, value) in &facts.durability {
        ensure!(
            value == "on" || value == "remote_apply",
            "{setting} = {value}: an acknowledged reading could be lost; set it to on"
        );
    }
    let all: Vec<_> = facts
        .durability
        .iter()
        .map(|(setting, value)| format!("{setting} = {value}"))
        .collect();
    Found::ok(all.join(", "))
}

fn connections(facts: &DatabaseFacts) -> Result<Found> {
    let DatabaseFacts {
        max_connections: most,
        connections: open,
        ..
    } = facts;
    ensure!(
        *most >= CONNECTIONS_MIN,
        "max_connections = {most} is too few for a hub and a command beside it; set it to {CONNECTIONS_MIN} or more"
    );
    ensure!(
        facts.connections_free > 0,
        "{open} of {most} are open and none is free for the hub; raise max_connections or the role's limit"
    );
    let said = format!("{open} of {most} are open, {} free for the hub", facts.connections_free);
    if facts.connections_free < CONNECTIONS_OF_HUB {
        return Found::warn(format!("{said}; a hub that starts now takes {CONNECTIONS_OF_HUB}"));
    }
    Found::ok(said)
}

fn encoding(facts: &DatabaseFacts) -> Result<Found> {
    ensure!(
        facts.encoding == "UTF8",
        "{}: names in other scripts cannot be stored; make the database with encoding UTF8",
        facts.encoding
    );
    Found::ok(facts.encoding.clone())
}

fn rights(facts: &DatabaseFacts, given: bool) -> Result<Found> {
    ensure!(
        facts.may_create,
        "the hub's role may not make tables in its schema; see docs/operations/database.md"
    );
    ensure!(
        !facts.bypasses_rls,
        "the hub's role has BYPASSRLS, so the database's own wall between tenants does not stand; alter role … nobypassrls"
    );
    if facts.superuser && given {
        let more = "the hub's role is a superuser, which it need not be; see docs/operations/database.md";
        return Found::warn(more.to_owned());
    }
    if given && !facts.needless_rights.is_empty() {
        return Found::warn(format!(
            "the hub's role may do more than it needs ({}); see docs/operations/database.md",
            facts.needless_rights.join(", ")
        ));
    }
    Found::ok("the hub's role may make its tables".to_owned())
}

fn host(facts: &DatabaseFacts) -> Result<Found> {
    match &facts.unproven_host {
        Some(host) => Found::warn(format!(
            "nothing proves that {host} is your database's host; use sslmode=verify-full, see docs/operations/database.md"
        )),
        None => Found::ok("on this machine, or proven by its certificate".to_owned()),
    }
}

fn extension(facts: &DatabaseFacts) -> Result<Found> {
    Found::ok(match &facts.timescale {
        Some((version, licence)) => format!("TimescaleDB {version}, licence {licence}"),
        None => "no TimescaleDB; the hub keeps partitions and aggregates itself".to_owned(),
    })
}

fn pages(facts: &DatabaseFacts) -> Result<Found> {
    ensure!(
        facts.damaged_pages == 0,
        "{} damaged page(s) were met: what is on them cannot be read; check the disk and restore a backup",
        facts.damaged_pages
    );
    Found::ok("no damaged page was met".to_owned())
}

fn clock(theirs: Timestamp, ours: Timestamp) -> Result<Found> {
    let difference = theirs.duration_since(ours);
    ensure!(
        difference.abs().as_secs() < CLOCK_DIFFERENCE_MAX_S,
        "the database's clock differs from this machine's by {difference:#}; let both follow one time server"
    );
    Found::ok(format!("differs from this machine's by {} ms", difference.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> DatabaseFacts {
        let on = |name| (name, "on".to_owned());
        DatabaseFacts {
            version: "15.12".into(),
            version_number: 150_012,
            max_connections: 100,
            connections: 3,
            durability: [on("fsync"), on("full_page_writes"), on("synchronous_commit")],
            encoding: "UTF8".into(),
            superuser: false,
            bypasses_rls: false,
            needless_rights: Vec::new(),
            may_create: true,
            is_elsewhere: false,
            unproven_host: None,
            connections_free: 60,
            timescale: None,
            damaged_pages: 0,
            clock: "2026-01-11T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn settings_that_lose_readings_fail() {
        let mut weak = facts();
        assert!(durability(&weak).is_ok() && connections(&weak).is_ok());
        assert!(
            matches!(host(&weak), Ok(Found::Ok(_)))
                && encoding(&weak).is_ok()
                && rights(&weak, true).is_ok()
                && pages(&weak).is_ok()
        );
        weak.unproven_host = Some("db.example".into());
        assert!(matches!(host(&weak), Ok(Found::Warn(_))));
        weak.needless_rights = vec!["createdb"];
        assert!(matches!(rights(&weak, true), Ok(Found::Warn(_))) && matches!(rights(&weak, false), Ok(Found::Ok(_))));
        weak.bypasses_rls = true;
        assert!(format!("{:#}", rights(&weak, true).unwrap_err()).contains("nobypassrls"));
        weak.bypasses_rls = false;
        weak.encoding = "SQL_ASCII".into();
        weak.may_create = false;
        weak.damaged_pages = 1;
        assert!(encoding(&weak).is_err() && rights(&weak, true).is_err() && pages(&weak).is_err());
        weak.durability[0].1 = "off".into();
        weak.max_connections = 20;
        weak.version_number = 140_009;
        assert!(format!("{:#}", durability(&weak).unwrap_err()).contains("fsync = off"));
        assert!(connections(&weak).is_err());
        assert!(matches!(version(&weak), Ok(Found::Warn(_))));
    }

    #[tokio::test]
    async fn a_trunks_name_without_an_address_is_named() {
        let trunks = |addresses: &[&str]| {
            let trunk = serde_json::json!({"proxy": "192.0.2.1:5060", "domain": "trunk.example",
                "caller_number": "+862155500100", "addresses": addresses});
            let trunk: Trunk = serde_json::from_value(trunk).unwrap();
            [(TenantId::new("acme").unwrap(), trunk)]
        };
        let said = |found: Result<Found>| match found {
            Ok(Found::Ok(text)) => format!("ok {text}"),
            Ok(Found::Warn(text)) => format!("warn {text}"),
            Err(error) => format!("FAIL {error:#}"),
        };
        for (addresses, start, words) in [
            (vec![], "ok ", "by its address"),
            (vec!["192.0.2.7"], "ok ", "by its address"),
            (
                vec!["192.0.2.7", "localhost"],
                "ok ",
                "localhost:5060 is 127.0.0.1:5060",
            ),
            (
                vec!["localhost", "nowhere.invalid"],
                "FAIL ",
                "tenant acme: the name nowhere.invalid",
            ),
        ] {
            let text = said(names(&trunks(&addresses), true).await);
            assert!(text.starts_with(start) && text.contains(words), "{addresses:?}: {text}");
        }
    }

    #[test]
    fn a_lease_of_the_future_is_told() {
        let now = facts().clock;
        let taken = |seconds| LeaseState {
            held: false,
            holder: None,
            token: 1,
            taken_at: Some(now + jiff::SignedDuration::from_secs(seconds)),
        };
        assert!(matches!(lease(&taken(-5), now), Ok(Found::Ok(_))));
        assert!(matches!(lease(&taken(3_600), now), Ok(Found::Warn(_))));
    }

    #[test]
    fn clocks_that_differ_fail() {
        let theirs = facts().clock;
        let later = |seconds| theirs + jiff::SignedDuration::from_secs(seconds);
        assert!(clock(theirs, later(1)).is_ok());
        assert!(clock(theirs, later(3)).is_err() && clock(theirs, later(-30)).is_err());
    }
}
