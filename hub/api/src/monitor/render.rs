//! Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).

use hub_core::metric::{Metric, MetricKind, MetricValue};
use std::fmt::Write;

/// Before every name but those that all programs share.
const PREFIX: &str = "forecall_";
const SHARED_PREFIX: &str = "process_";

/// All metrics, one after the other. Writing to a string cannot fail, so results are left alone.
pub(super) fn render(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for metric in metrics {
        let prefix = if metric.name.starts_with(SHARED_PREFIX) {
            ""
        } else {
            PREFIX
        };
        let name = format!("{prefix}{}", metric.name);
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in &metric.samples {
            match &sample.value {
                MetricValue::Number(value) => line(&mut text, &name, &sample.labels, None, *value),
                MetricValue::Histogram { buckets, sum, count } => {
                    let bucket = format!("{name}_bucket");
                    for (bound, below) in buckets {
                        line(&mut text, &bucket, &sample.labels, Some(*bound), *below as f64);
                    }
                    line(&mut text, &bucket, &sample.labels, Some(f64::INFINITY), *count as f64);
                    line(&mut text, &format!("{name}_sum"), &sample.labels, None, *sum);
                    line(&mut text, &format!("{name}_count"), &sample.labels, None, *count as f64);
                }
            }
        }
    }
    text
}

fn line(text: &mut String, name: &str, labels: &[(&'static str, String)], bound: Option<f64>, value: f64) {
    text.push_str(name);
    let bound = bound.map(number);
    let mut pairs: Vec<String> = labels.iter().map(|(name, value)| pair(name, value)).collect();
    pairs.extend(bound.map(|bound| pair("le", &bound)));
    if !pairs.is_empty() {
        let _ = write!(text, "{{{}}}", pairs.join(","));
    }
    let _ = writeln!(text, " {}", number(value));
}

fn pair(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

/// Rust writes whole floats without a point and infinity in lower case.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use hub_core::metric::MetricSample;

    #[test]
    fn as_the_format_wants_it() {
        let help = "How long\nthings took.";
        let mut took = Metric::new("took_seconds", MetricKind::Histogram, help);
        took.samples.push(MetricSample {
            labels: vec![],
            value: MetricValue::Histogram {
                buckets: vec![(0.005, 1), (1.0, 3)],
                sum: 7.25,
                count: 4,
            },
        });
        let odd = Metric::new("closed_total", MetricKind::Counter, "Closed.").with(&[("why", "a\"b\\c\nd")], 1);
        let plain = Metric::new("process_open_fds", MetricKind::Gauge, "Open files.").with(&[], 12);
        expect![[r#"
            # HELP forecall_took_seconds How long\nthings took.
            # TYPE forecall_took_seconds histogram
            forecall_took_seconds_bucket{le="0.005"} 1
            forecall_took_seconds_bucket{le="1"} 3
            forecall_took_seconds_bucket{le="+Inf"} 4
            forecall_took_seconds_sum 7.25
            forecall_took_seconds_count 4
            # HELP forecall_closed_total Closed.
            # TYPE forecall_closed_total counter
            forecall_closed_total{why="a\"b\\c\nd"} 1
            # HELP process_open_fds Open files.
            # TYPE process_open_fds gauge
            process_open_fds 12
        "#]]
        .assert_eq(&render(&[took, odd, plain]));
    }
}
