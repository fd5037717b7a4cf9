//! What follows from a replay: the tickets of its appliance, as the hub's own store says them a moment later.

use crate::commands::args::COMMAND;
use crate::commands::target::open_existing;
use crate::config::Config;
use crate::database::Opened;
use anyhow::{Result, ensure};
use hub_core::actor::Actor;
use hub_core::id::{DeviceId, TenantId};
use hub_store::page::PAGE_MAX;
use hub_store::site::SiteStore;
use hub_store::ticket::{TicketFilter, TicketStore};
use hub_store_postgres::Cluster;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A ticket follows the reading that it is about within this time, as a rule within a second or two.
const FOLLOWS_MAX: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);

/// Where to look next: the open tickets of the appliance, or the appliance itself. Where the store is not here, the console.
pub async fn what_follows(config: &Config, tenant: &TenantId, device: &DeviceId) -> String {
    let looked = async {
        let is_here = config.database_url.is_some() || Cluster::is_running(&config.state_dir)?;
        ensure!(is_here, "no hub runs on {}", config.state_dir.display());
        let opened = open_existing(config).await?;
        let told = look(&opened, config.http, tenant, device).await;
        opened.close().await?;
        told
    };
    looked.await.unwrap_or_else(|error: anyhow::Error| {
        tracing::debug!(error = %format!("{error:#}"), "the store was not asked for tickets");
        format!("what follows is shown by the hub's console: http://{}", config.http)
    })
}

async fn look(opened: &Opened, http: SocketAddr, tenant: &TenantId, device: &DeviceId) -> Result<String> {
    let appliance = opened.store.appliance_by_name(tenant, device).await?.id;
    let actor = Actor::hub(COMMAND).within(Some(tenant.clone()));
    let until = Instant::now() + FOLLOWS_MAX;
    loop {
        // The newest ones: nobody looks for others after a replay.
        let newest = opened
            .store
            .tickets(&actor, &TicketFilter::default(), None, PAGE_MAX)
            .await?;
        let own = newest.items.into_iter().map(|item| item.ticket);
        let open: Vec<_> = own
            .filter(|ticket| ticket.appliance == appliance && !ticket.is_closed())
            .map(|ticket| format!("http://{http}/tickets/{}", ticket.id))
            .collect();
        if !open.is_empty() {
            return Ok(told(&open));
        }
        if Instant::now() >= until {
            return Ok(format!(
                "no ticket within {} s; what the hub makes of the readings: http://{http}/appliances/{}",
                FOLLOWS_MAX.as_secs(),
                appliance.0
            ));
        }
        sleep(LOOK).await;
    }
}

fn told(open: &[String]) -> String {
    let tickets = if open.len() == 1 { "ticket" } else { "tickets" };
    format!("{} {tickets}: {}", open.len(), open.join(" "))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn tickets_are_counted_and_named() {
        let open = ["http://a/tickets/1".to_owned(), "http://a/tickets/2".to_owned()];
        assert_eq!(told(&open[..1]), "1 ticket: http://a/tickets/1");
        assert_eq!(told(&open), "2 tickets: http://a/tickets/1 http://a/tickets/2");
    }
}
