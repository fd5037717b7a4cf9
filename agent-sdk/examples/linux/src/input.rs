//! Samples from standard input, with the time at which they were read.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lines that may wait for the device; then the program that writes them waits, too.
const WAITING_MAX: usize = 1_024;

/// One sample.
pub struct Sample {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Values by channel, ids rising.
    pub values: Vec<(u8, f64)>,
}

/// Reads lines in a thread of its own, until the input ends.
pub fn lines() -> Receiver<Sample> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match parse(&line) {
                Some(values) => {
                    let at_ms = now_ms();
                    if sender.send(Sample { at_ms, values }).is_err() {
                        return;
                    }
                }
                None => eprintln!("not `channel=value …`: {line}"),
            }
        }
    });
    receiver
}

/// `channel=value …` in any order, each channel once.
fn parse(line: &str) -> Option<Vec<(u8, f64)>> {
    let mut values = Vec::new();
    for word in line.split_whitespace() {
        let (channel, value) = word.split_once('=')?;
        let (channel, value) = (channel.parse::<u8>().ok()?, value.parse::<f64>().ok()?);
        if channel == 0 || !value.is_finite() {
            return None;
        }
        values.push((channel, value));
    }
    values.sort_by_key(|(channel, _)| *channel);
    let is_twice = values.windows(2).any(|pair| pair[0].0 == pair[1].0);
    (!values.is_empty() && !is_twice).then_some(values)
}

#[expect(clippy::disallowed_methods, reason = "the clock of a device is the device's")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_is_a_sample() {
        assert_eq!(parse("8=32.5 1=-0.25"), Some(vec![(1, -0.25), (8, 32.5)]));
        for line in ["", "8", "8=", "0=1", "256=1", "8=NaN", "8=1 8=2", "flow=1"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
