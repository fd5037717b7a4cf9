//! Figures for monitoring, in a form that belongs to no exporter: the parts of the hub hand them out, the server renders
//! them (Prometheus text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/).

/// How a figure behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises, from zero at the start of the program.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

/// One figure with its labelled values.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Lower-case words joined by `_`, with the unit at the end, counters with `_total`.
    pub name: &'static str,
    /// One line for a person.
    pub help: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// A bounded number of them.
    pub samples: Vec<MetricSample>,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSample {
    /// Names and values; the values are not escaped.
    pub labels: Vec<(&'static str, String)>,
    /// Of this combination of labels.
    pub value: MetricValue,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram {
        /// Upper bound and how many were at or below it, rising; without the infinite one, which is `count`.
        buckets: Vec<(f64, u64)>,
        /// Sum of all observed values.
        sum: f64,
        /// How many were observed.
        count: u64,
    },
}

impl Metric {
    /// A figure without values yet.
    pub fn new(name: &'static str, kind: MetricKind, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    /// With one more value.
    #[must_use]
    pub fn with(mut self, labels: &[(&'static str, &str)], value: u64) -> Self {
        self.push(labels, value);
        self
    }

    /// Adds a value. Numbers above 2^53 lose their last digits, as they do in every exporter.
    pub fn push(&mut self, labels: &[(&'static str, &str)], value: u64) {
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let value = MetricValue::Number(value as f64);
        self.samples.push(MetricSample { labels, value });
    }
}
