//! Owners' phones, and a hub that rings them.

use crate::console::Console;
use crate::eventually;
use crate::fleet::{past, recent, send};
use crate::hub::{Lab, RunningHub};
use crate::site::{TestSite, daytime_zone};
use anyhow::{Context, Result};
use hub_core::phone_number::PhoneNumber;
use hub_lab::phone::{PhoneAnswer, PhoneScript, Phones};
use serde_json::Value;
use std::time::Duration;
use tests_world::FaultKind;

/// The hub rings, and shows what came of it, within this on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The phone of the first device's owner, who answers so and then presses these keys, each after its time.
///
/// # Errors
/// SIP or audio do not start.
pub async fn owners_phones(answer: PhoneAnswer, keys: Vec<(Duration, char)>) -> Result<Phones> {
    let (phones, _reports) = Phones::start("127.0.0.1:0".parse()?).await?;
    let number = PhoneNumber::new(&TestSite::number(0)).context("a test's number is one")?;
    let script = PhoneScript {
        answer,
        keys,
        hang_up: None,
    };
    phones.set(number, script);
    Ok(phones)
}

/// A hub about to ring `phones` about a worn pump: a simulated administrator approves the call.
///
/// # Errors
/// It does not start, or does not take what the device sends.
pub async fn about_to_ring(lab: Lab, phones: &Phones) -> Result<(Lab, RunningHub, Console)> {
    let (lab, hub, console) = at_work(lab, phones).await?;
    lab.approve_calls().await?;
    worn_pump(&lab).await?;
    Ok((lab, hub, console))
}

/// A hub with one washing machine, whose owner may be rung on `phones`. Nobody approves calls.
///
/// # Errors
/// It does not start.
pub async fn at_work(lab: Lab, phones: &Phones) -> Result<(Lab, RunningHub, Console)> {
    let zone = daytime_zone(recent().to_zoned(jiff::tz::TimeZone::UTC).hour());
    let devices = vec![("wm-1".to_owned(), "washing-machine".to_owned(), None)];
    let site = TestSite {
        trunk: Some(phones.local()),
        password: None,
        devices,
        consent: true,
        zone,
    };
    lab.apply(&site.toml()).await?;
    let hub = lab.serve().await?;
    let console = Console::log_in(lab.http, "admin", &lab.password()).await?;
    Ok((lab, hub, console))
}

/// The washing machine tells of the weeks in which its pump has worn out: a ticket follows.
///
/// # Errors
/// The hub does not take it.
pub async fn worn_pump(lab: &Lab) -> Result<()> {
    let worn = past(11, 55, Some(FaultKind::DrainPumpWear), recent());
    send(lab, "wm-1", 1, worn).await.map(drop)
}

/// Waits until an attempt is as wished.
///
/// # Panics
/// It does not come to that in time, or the hub does not answer.
pub async fn attempt(console: &Console, what: &str, wished: impl Fn(&Value) -> bool) -> Value {
    let look = async || {
        let attempts = console.all("/api/v1/contacts").await.expect("the hub shows attempts");
        attempts.into_iter().find(|attempt| wished(attempt))
    };
    eventually(what, PATIENCE, look).await
}

/// The page of the only ticket.
///
/// # Panics
/// There is none or more than one, or the hub does not answer.
pub async fn only_ticket(console: &Console) -> Value {
    let tickets = console.all("/api/v1/tickets").await.expect("the hub shows tickets");
    assert_eq!(tickets.len(), 1, "one fault, one ticket");
    let id = tickets[0]["ticket"]["id"].as_str().expect("a ticket has an id");
    let path = format!("/api/v1/tickets/{id}");
    console.get(&path).await.expect("the hub shows the ticket")
}
