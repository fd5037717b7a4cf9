//! The lease of the database: while another hub works on it, this one answers monitoring and waits to take over; and a hub that
//! works hears when it has lost it.

use crate::config::Config;
use crate::database::Opened;
use crate::monitor;
use crate::terminal::say;
use anyhow::{Context, Result};
use hub_api::{ApiState, Redecoded};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::normal::NoNormal;
use hub_store::lease::LeaseStore;
use hub_store_postgres::PostgresStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the other hub is gone.
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// Looking after the lease never ends by itself; this long at a time.
const LEASE_LOOK: Duration = Duration::from_secs(60);

/// Waits until this hub has the database's lease. Until then it serves `/healthz`, `/readyz` and `/metrics` only.
///
/// # Errors
///
/// Where its address cannot be listened on, or the database does not answer the first question.
pub async fn lead(config: &Config, opened: &Opened, clock: &dyn CivilClock) -> Result<()> {
    if opened.store.take_lease(clock.now()).await?.is_some() {
        return Ok(());
    }
    let listener =
        hub_broker::listen_http(config.http).with_context(|| format!("cannot listen on http = {}", config.http))?;
    let stop = CancellationToken::new();
    // However this ends, the listener is closed: the hub that then works needs its address.
    let guard = stop.clone().drop_guard();
    let serving = hub_api::serve_monitoring(listener, state(config, opened)?, hub_console::PAGES, stop);
    let serving = tokio::spawn(serving);
    say("standing by: another hub works on this database; this one takes over when it ends");
    let mut away = false;
    loop {
        match opened.store.take_lease(clock.now()).await {
            Ok(Some(_)) => break,
            Ok(None) => away = false,
            Err(error) => {
                if !std::mem::replace(&mut away, true) {
                    tracing::warn!(error = &error as &dyn std::error::Error, "lease not read, trying again");
                }
            }
        }
        sleep(LOOK_PAUSE).await;
    }
    drop(guard);
    let _ = serving.await;
    say("taking over");
    Ok(())
}

fn state(config: &Config, opened: &Opened) -> Result<ApiState> {
    Ok(ApiState {
        store: opened.store.clone(),
        clock: Arc::new(SystemClock),
        families: watch::channel(Arc::default()).1,
        monitor: monitor::standing_by(),
        redecode: Arc::new(|_| Box::pin(async { Ok(Redecoded::Refused("this hub stands by".to_owned())) })),
        read_normal: Arc::new(|_| Err(NoNormal::NoModel)),
        demo: None,
        config: config.console()?,
    })
}

/// Looks after the lease of a hub that works; ends with the reason when another hub has taken it.
pub async fn deposed(store: Arc<PostgresStore>, stop: CancellationToken) -> String {
    while let Some(lost) = stop.run_until_cancelled(store.lease_lost(LEASE_LOOK)).await {
        if lost {
            return "another hub has taken over the database".to_owned();
        }
    }
    std::future::pending().await
}
