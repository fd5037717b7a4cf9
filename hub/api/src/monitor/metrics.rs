//! GET /metrics, for those who may see it.

use super::ready::{STORE_PATIENCE, store_answers};
use super::render::render;
use crate::auth::bearer::bearer;
use crate::error::{ApiError, Result};
use crate::proxies::is_marked;
use crate::state::{App, Inner};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hub_core::metric::{Metric, MetricKind};
use hub_store::site::TenantTally;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;
use tokio::time::timeout;

/// Prometheus text format 0.0.4.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// All that is counted. With a token in the configuration, for clients that show it; without one, for this machine itself, unless
/// a proxy stands in front: then everybody would seem to be this machine.
pub(super) async fn handle(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response> {
    if !may_see(&app, peer, &headers) {
        return Err(ApiError::MetricsRefused);
    }
    let mut metrics = (app.state.monitor.metrics)();
    metrics.extend(app.state.monitor.accepting.metrics());
    metrics.extend(of_listener(&app));
    metrics.extend(of_store(&app).await);
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], render(&metrics)).into_response())
}

fn may_see(app: &Inner, peer: SocketAddr, headers: &HeaderMap) -> bool {
    let config = &app.state.config;
    match &config.metrics_token {
        Some(token) => headers
            .get(header::AUTHORIZATION)
            .and_then(bearer)
            .is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(token.as_bytes()))),
        None => {
            let of_this_machine = peer.ip().to_canonical().is_loopback() && !config.proxies.include(peer.ip());
            of_this_machine && !config.behind_tls && !is_marked(headers)
        }
    }
}

fn of_listener(app: &Inner) -> [Metric; 3] {
    let counted = app.connections.counted();
    let help = "Connections to console and API, by whom they count for.";
    let open = Metric::new("http_connections", MetricKind::Gauge, help)
        .with(&[("of", "stranger")], counted.strangers)
        .with(&[("of", "person")], counted.people)
        .with(&[("of", "proxy")], counted.proxies)
        .with(&[("of", "monitoring")], counted.monitoring);
    let help = "Connections to console and API, and requests, that were closed or not taken, by reason.";
    let closed = Metric::new("http_closed_total", MetricKind::Counter, help)
        .with(&[("reason", "gave_way")], counted.gave_way)
        .with(&[("reason", "full")], counted.refused)
        .with(&[("reason", "unread")], counted.unread)
        .with(&[("reason", "busy")], app.requests.counted().refused);
    let help = "Event streams open.";
    let streams = Metric::new("http_event_streams", MetricKind::Gauge, help).with(&[], app.streams.count() as u64);
    [open, closed, streams]
}

async fn of_store(app: &Inner) -> Vec<Metric> {
    let up = store_answers(app).await;
    let help = "Whether the database answers.";
    let mut metrics = vec![Metric::new("database_up", MetricKind::Gauge, help).with(&[], u64::from(up))];
    if up && let Ok(Ok(tallies)) = timeout(STORE_PATIENCE, app.store().tallies()).await {
        metrics.extend(of_tenants(&tallies));
    }
    metrics
}

/// Of the tenants with the most appliances, as the store gives them.
fn of_tenants(tallies: &[TenantTally]) -> Vec<Metric> {
    type Of = fn(&TenantTally) -> i64;
    let shown: [(&'static str, MetricKind, &'static str, Of); 7] = [
        ("tenant_appliances", MetricKind::Gauge, "Appliances, by tenant.", |t| {
            t.appliances
        }),
        (
            "tenant_online",
            MetricKind::Gauge,
            "Appliances with a session, by tenant.",
            |t| t.online,
        ),
        ("tenant_samples", MetricKind::Gauge, "Samples stored, by tenant.", |t| {
            t.samples
        }),
        (
            "tenant_quarantined",
            MetricKind::Gauge,
            "Payloads in quarantine, by tenant.",
            |t| t.quarantined,
        ),
        (
            "tenant_quarantine_dropped",
            MetricKind::Gauge,
            "Payloads that gave way to newer ones in quarantine, by tenant.",
            |t| t.quarantine_dropped,
        ),
        (
            "tenant_device_dropped_events",
            MetricKind::Gauge,
            "Event messages that devices gave up for want of room, as they say, by tenant.",
            |t| t.device_dropped_events,
        ),
        (
            "tenant_device_dropped_telemetry",
            MetricKind::Gauge,
            "Telemetry messages that devices gave up for want of room, as they say, by tenant.",
            |t| t.device_dropped_telemetry,
        ),
    ];
    let metric = |(name, kind, help, of): (_, _, _, Of)| {
        let mut metric = Metric::new(name, kind, help);
        for tally in tallies {
            metric.push(
                &[("tenant", tally.tenant.as_str())],
                u64::try_from(of(tally)).unwrap_or(0),
            );
        }
        metric
    };
    shown.into_iter().map(metric).collect()
}
