//! What follows from a replay: the tickets of its appliance, as the hub's own store says them a moment later.

use crate::commands::args::COMMAND;
use crate::commands::target::open_existing;
use crate::config::Config;
use crate::database::Opened;
use anyhow::{Result, ensure};
use hub_core::actor::Actor;
use hub_core::contact::ContactPhase;
use hub_core::id::{DeviceId, TenantId};
use hub_core::ticket::ServiceTicket;
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
        let own = own.filter(|ticket| ticket.appliance == appliance && !ticket.is_closed());
        let open: Vec<ServiceTicket> = own.collect();
        // The hub looks at a new ticket at once: then it is known what becomes of its call.
        let is_looked_at =
            |ticket: &ServiceTicket| ticket.contact.phase != ContactPhase::Planned || ticket.contact.reason.is_some();
        if !open.is_empty() && (open.iter().all(is_looked_at) || Instant::now() >= until) {
            return Ok(told(http, &open));
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

fn told(http: SocketAddr, open: &[ServiceTicket]) -> String {
    let addresses: Vec<_> = open
        .iter()
        .map(|ticket| format!("http://{http}/tickets/{}", ticket.id))
        .collect();
    let tickets = if open.len() == 1 { "ticket" } else { "tickets" };
    let told = format!("{} {tickets}: {}", open.len(), addresses.join(" "));
    if open.iter().any(|ticket| ticket.contact.waits_for_approval()) {
        return format!("{told}\na call waits for your approval: http://{http}/ready-to-ring");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::told;
    use hub_core::call_rules::HoldReason;
    use hub_core::contact::ContactThread;
    use hub_core::id::{ApplianceId, TenantId, TicketId, TraceId};
    use hub_core::ticket::{ServiceTicket, TicketCategory, TicketKind, TicketLabels, TicketStatus};
    use jiff::Timestamp;

    fn ticket(n: u8, reason: HoldReason) -> ServiceTicket {
        ServiceTicket {
            id: TicketId::new(Timestamp::UNIX_EPOCH, [n; 10]),
            number: i64::from(n),
            tenant: TenantId::new("acme").unwrap(),
            appliance: ApplianceId(1),
            kind: TicketKind::PredictedFault,
            fault: None,
            status: TicketStatus::first(TicketCategory::Open, &TicketLabels::default()),
            assignee: None,
            opened_at: Timestamp::UNIX_EPOCH,
            closed_at: None,
            contact: ContactThread::held(reason),
            appointment: None,
            promise: None,
            next_promise: None,
            outcome: None,
            correction: None,
            judged: None,
            trace: TraceId::new(Timestamp::UNIX_EPOCH, [n; 10]),
        }
    }

    #[test]
    fn tickets_are_counted_and_named_and_what_waits_for_an_approval_is_said() {
        let http = "127.0.0.1:1".parse().unwrap();
        let open = [ticket(1, HoldReason::NoConsent), ticket(2, HoldReason::ReadyToRing)];
        let at = |n: usize| format!("http://127.0.0.1:1/tickets/{}", open[n].id);
        assert_eq!(told(http, &open[..1]), format!("1 ticket: {}", at(0)));
        let both = format!(
            "2 tickets: {} {}\na call waits for your approval: http://127.0.0.1:1/ready-to-ring",
            at(0),
            at(1)
        );
        assert_eq!(told(http, &open), both);
    }
}
