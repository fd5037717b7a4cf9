//! The counts for monitoring. Names are part of the contract with dashboards: they are added to, not changed.

use super::{BrokerCounters, Histogram, lock};
use crate::quotas::TenantUse;
use crate::router::RouterStats;
use crate::socket::Way;
use hub_core::id::TenantId;
use hub_core::metric::{Metric, MetricKind, MetricSample, MetricValue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tenants shown by name; the others are shown together.
const TENANTS_MAX: usize = 100;

impl BrokerCounters {
    /// All of them, with what router and tenants use.
    pub(crate) fn snapshot(&self, tenants: Vec<(TenantId, Arc<TenantUse>)>, router: RouterStats) -> Vec<Metric> {
        let mut metrics = self.counts();
        metrics.extend([
            self.by_way(),
            by_version(
                "mqtt_messages_in_total",
                "Publishes taken, by version and QoS.",
                &self.messages_in,
            ),
            by_version(
                "mqtt_messages_out_total",
                "Messages sent, by version and QoS.",
                &self.messages_out,
            ),
            by_label("mqtt_closed_total", "Connections that ended, by reason.", self.closed()),
            by_label(
                "mqtt_refused_total",
                "Refusals that did not end a connection, by reason.",
                lock(&self.refused).clone(),
            ),
            self.commit_seconds
                .metric("mqtt_commit_seconds", "How long commits took in the store."),
        ]);
        metrics.extend(of_tenants(tenants));
        metrics.extend(of_router(router));
        metrics
    }

    fn counts(&self) -> Vec<Metric> {
        let counter = |name, help, count: &AtomicU64| {
            Metric::new(name, MetricKind::Counter, help).with(&[], count.load(Ordering::Relaxed))
        };
        let gauge = |name, help, count: &AtomicU64| {
            Metric::new(name, MetricKind::Gauge, help).with(&[], count.load(Ordering::Relaxed))
        };
        vec![
            gauge(
                "mqtt_connections",
                "Connections open, let in or not.",
                &self.connections,
            ),
            counter(
                "mqtt_handshakes_total",
                "TLS and WebSocket handshakes completed.",
                &self.handshakes,
            ),
            counter("mqtt_accepted_total", "Clients let in.", &self.accepted),
            counter(
                "mqtt_login_batches_total",
                "Questions to the store who clients are.",
                &self.login_batches,
            ),
            counter(
                "mqtt_session_changes_total",
                "Sessions to be kept or forgotten.",
                &self.session_changes,
            ),
            counter(
                "mqtt_session_batches_total",
                "Times that the store was told what is kept of sessions.",
                &self.session_batches,
            ),
            counter("mqtt_bytes_in_total", "Bytes of MQTT read.", &self.bytes_in),
            counter("mqtt_bytes_out_total", "Bytes of MQTT written.", &self.bytes_out),
            counter(
                "mqtt_acknowledged_total",
                "Acknowledgements sent after the commit.",
                &self.acknowledged,
            ),
            counter("mqtt_samples_stored_total", "Samples stored.", &self.samples_stored),
            counter(
                "mqtt_samples_repeated_total",
                "Samples that had been stored before.",
                &self.samples_repeated,
            ),
            counter(
                "mqtt_quarantined_total",
                "Payloads put into quarantine.",
                &self.quarantined,
            ),
            counter("mqtt_dropped_total", "Publishes dropped unacknowledged.", &self.dropped),
            counter("mqtt_commits_total", "Commits.", &self.commits),
            counter(
                "mqtt_commit_failures_total",
                "Tries to commit that failed.",
                &self.commit_failures,
            ),
            gauge(
                "mqtt_queue_items",
                "Publishes that wait for their commit.",
                &self.queue_items,
            ),
            gauge(
                "mqtt_queue_bytes",
                "Bytes that wait for their commit.",
                &self.queue_bytes,
            ),
            counter(
                "mqtt_commands_sent_total",
                "Commands sent to devices.",
                &self.commands_sent,
            ),
            counter("mqtt_replies_total", "Replies to commands stored.", &self.replies),
            counter("mqtt_wills_total", "Wills published.", &self.wills),
            counter(
                "mqtt_provisioned_total",
                "Devices that were given a credential.",
                &self.provisioned,
            ),
            counter(
                "mqtt_certificates_refused_total",
                "Times that a new certificate of the hub could not be used.",
                &self.certificates_refused,
            ),
        ]
    }

    fn by_way(&self) -> Metric {
        let help = "Connections that speak MQTT, by transport.";
        let mut metric = Metric::new("mqtt_connections_by_transport", MetricKind::Gauge, help);
        for way in Way::ALL {
            metric.push(&[("transport", way.label())], self.way(way).load(Ordering::Relaxed));
        }
        metric
    }
}

impl Histogram {
    fn metric(&self, name: &'static str, help: &'static str) -> Metric {
        let mut below = 0;
        let buckets = Self::BOUNDS_MS.iter().zip(&self.buckets).map(|(bound, count)| {
            below += count.load(Ordering::Relaxed);
            (*bound as f64 / 1e3, below)
        });
        let value = MetricValue::Histogram {
            buckets: buckets.collect(),
            sum: self.sum_us.load(Ordering::Relaxed) as f64 / 1e6,
            count: self.count(),
        };
        let mut metric = Metric::new(name, MetricKind::Histogram, help);
        let labels = Vec::new();
        metric.samples.push(MetricSample { labels, value });
        metric
    }
}

fn by_version(name: &'static str, help: &'static str, counts: &[[AtomicU64; 3]; 2]) -> Metric {
    let mut metric = Metric::new(name, MetricKind::Counter, help);
    for (version, counts) in ["3.1.1", "5.0"].into_iter().zip(counts) {
        for (qos, count) in ["0", "1", "2"].into_iter().zip(counts) {
            metric.push(&[("version", version), ("qos", qos)], count.load(Ordering::Relaxed));
        }
    }
    metric
}

fn by_label(name: &'static str, help: &'static str, counts: impl IntoIterator<Item = (&'static str, u64)>) -> Metric {
    let mut metric = Metric::new(name, MetricKind::Counter, help);
    for (label, count) in counts {
        metric.push(&[("reason", label)], count);
    }
    metric
}

fn of_tenants(mut tenants: Vec<(TenantId, Arc<TenantUse>)>) -> [Metric; 2] {
    tenants.sort_unstable_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    let help = "Connections let in, by tenant.";
    let mut connections = Metric::new("mqtt_tenant_connections", MetricKind::Gauge, help);
    let help = "Publishes taken, by tenant.";
    let mut messages = Metric::new("mqtt_tenant_messages_total", MetricKind::Counter, help);
    let mut others = None;
    for (index, (tenant, used)) in tenants.iter().enumerate() {
        let now = used.connections.load(Ordering::Relaxed) as u64;
        let taken = used.taken.load(Ordering::Relaxed);
        if index < TENANTS_MAX {
            connections.push(&[("tenant", tenant.as_str())], now);
            messages.push(&[("tenant", tenant.as_str())], taken);
        } else {
            let (sum_now, sum_taken) = others.unwrap_or((0, 0));
            others = Some((sum_now + now, sum_taken + taken));
        }
    }
    if let Some((now, taken)) = others {
        // No tenant can be called so.
        connections.push(&[("tenant", "*")], now);
        messages.push(&[("tenant", "*")], taken);
    }
    [connections, messages]
}

fn of_router(stats: RouterStats) -> [Metric; 4] {
    let gauge = |name, help, value| Metric::new(name, MetricKind::Gauge, help).with(&[], value);
    let counter = |name, help, value| Metric::new(name, MetricKind::Counter, help).with(&[], value);
    let help = "Messages that integrators should have had and did not get, by where they were lost.";
    let lost = Metric::new("mqtt_router_lost_total", MetricKind::Counter, help)
        .with(&[("where", "queue")], stats.lost_in_queue)
        .with(&[("where", "log")], stats.lost_in_log)
        .with(&[("where", "reader")], stats.lost_by_integrators);
    [
        gauge(
            "mqtt_router_subscribers",
            "Integrators subscribed.",
            stats.subscribers as u64,
        ),
        gauge(
            "mqtt_router_filters",
            "Distinct filters subscribed.",
            stats.filters as u64,
        ),
        counter(
            "mqtt_router_delivered_total",
            "Messages handed to integrators.",
            stats.delivered,
        ),
        lost,
    ]
}
