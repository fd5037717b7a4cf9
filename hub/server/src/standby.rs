//! Standing by: while another hub works on the database, this one answers monitoring and waits to take over.

use crate::commands::say;
use crate::config::Config;
use crate::pipeline::Opened;
use crate::process;
use anyhow::{Context, Result};
use hub_api::{ApiState, Monitor, Redecoded};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::metric::{Metric, MetricKind};
use hub_store::lease::LeaseStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the other hub is gone.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// Waits until this hub has the database's lease. Until then it serves `/healthz`, `/readyz` and `/metrics` only.
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
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the lease cannot be looked at, trying again"
                    );
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
    let monitor = Monitor {
        metrics: Arc::new(|| {
            let mut all = process::metrics();
            all.push(lease_held(false));
            all
        }),
        problems: Arc::new(|| {
            let why = "another hub works on this database; this one takes over when it ends";
            vec![("standby", why.to_owned())]
        }),
        notices: Arc::new(Vec::new),
        accepting: Arc::default(),
    };
    Ok(ApiState {
        store: opened.store.clone(),
        clock: Arc::new(SystemClock),
        monitor,
        redecode: Arc::new(|_| Box::pin(async { Ok(Redecoded::Refused("this hub stands by".to_owned())) })),
        demo: None,
        config: config.console()?,
    })
}

/// The gauge by which monitoring sees which hub works.
pub fn lease_held(held: bool) -> Metric {
    let help = "Whether this hub holds the database's lease; 0 where it stands by.";
    Metric::new("lease_held", MetricKind::Gauge, help).with(&[], u64::from(held))
}
