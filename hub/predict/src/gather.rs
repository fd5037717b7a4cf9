//! Readings of one period become one row, channel by channel, whether they come in one message or in several; and a time that
//! cannot be true yet moves nothing.

use hub_core::profile::ApplianceProfile;
use hub_core::watching::Unjudged;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::manifest::{Manifest, Resampling};
use crate::resample::EARLY;
use crate::table::Row;

/// Rows of the model that were without a channel, one after the other, until that channel is awaited no longer.
const AWAITED: u32 = 10;
/// So far ahead of its receipt a reading may be, and so much further ahead than any before: clocks differ, and messages are under
/// way for a while.
const AHEAD_MAX: SignedDuration = SignedDuration::from_secs(5);

/// What is known of readings that have come, apart from what they hold. Bounded: two rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gather {
    /// Time of the newest row that was given on.
    last: Option<Timestamp>,
    /// A row of which values are awaited.
    open: Option<Gathered>,
    /// How far readings were ahead of their receipt, at most.
    lead: SignedDuration,
    /// A row from further ahead, and by how much, until one of a later time comes.
    ahead: Option<(Gathered, SignedDuration)>,
    /// Rows given on, one after the other, that were without a channel; for each channel that the model reads.
    without: Vec<u32>,
    /// Rows that made nothing since one was given on, since their time had passed.
    passed: u32,
    /// From the newest row given on but one to the newest.
    every: SignedDuration,
}

/// A row as far as it has come, in the order of the model's profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Gathered {
    at: Timestamp,
    values: Vec<Option<f64>>,
}

/// What the model asks of its rows.
#[derive(Debug)]
pub(crate) struct Need {
    /// Positions of the channels that it reads, in the profile.
    channels: Vec<usize>,
    /// The one of these without which there is no row at all, by its place among them.
    phase: Option<usize>,
    /// Readings less than this apart are of one row, and those of the same time in any case.
    span_s: f64,
}

/// Where a reading lies beside a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Within,
    After,
}

impl Gather {
    pub(crate) fn new() -> Self {
        Self {
            last: None,
            open: None,
            lead: SignedDuration::ZERO,
            ahead: None,
            without: Vec::new(),
            passed: 0,
            every: SignedDuration::ZERO,
        }
    }

    /// Takes a reading that the hub received at `received_at`: the rows that are now whole, oldest first, and why the reading
    /// made none. A row is whole when it has all channels that are awaited, or when one of a later period comes.
    pub(crate) fn push(&mut self, row: &Row, received_at: Timestamp, need: &Need) -> (Vec<Row>, Option<Unjudged>) {
        let mut whole = Vec::new();
        let new = Gathered {
            at: row.at,
            values: row.values.clone(),
        };
        let lead = row.at.duration_since(received_at);
        if let Some((mut ahead, its_lead)) = self.ahead.take() {
            match need.place(ahead.at, row.at) {
                Place::Within => {
                    ahead.join(&new);
                    self.ahead = Some((ahead, its_lead));
                    return (whole, Some(Unjudged::Ahead));
                }
                // The device's clock is ahead, not this one reading.
                Place::After => {
                    self.lead = self.lead.max(its_lead);
                    self.take(ahead, need, &mut whole);
                }
                Place::Before => {}
            }
        }
        if lead > AHEAD_MAX && lead > self.lead + AHEAD_MAX {
            self.ahead = Some((new, lead));
            return (whole, Some(Unjudged::Ahead));
        }
        self.lead = self.lead.max(lead);
        let passed = self.passed;
        let mut why = self.take(new, need, &mut whole).filter(|_| whole.is_empty());
        if !need.has_any(&row.values) {
            // It says nothing of how the device's times are.
            self.passed = passed.min(self.passed);
            why = why.map(|_| Unjudged::NoValue);
        }
        (whole, why)
    }

    fn take(&mut self, new: Gathered, need: &Need, whole: &mut Vec<Row>) -> Option<Unjudged> {
        if let Some(mut open) = self.open.take() {
            match need.place(open.at, new.at) {
                Place::Before => {
                    self.open = Some(open);
                    return Some(self.pass(Unjudged::Unordered));
                }
                Place::Within => {
                    let is_new = open.join(&new);
                    self.give_or_keep(open, need, whole);
                    return Some(if is_new { Unjudged::Joined } else { Unjudged::Repeated });
                }
                Place::After => self.give(open, need, whole),
            }
        }
        match self.last.map(|last| (last, need.place(last, new.at))) {
            Some((_, Place::Before)) => Some(self.pass(Unjudged::Unordered)),
            Some((last, Place::Within)) => {
                self.await_again(&new, need);
                match new.at == last {
                    true => Some(self.pass(Unjudged::Repeated)),
                    false => Some(Unjudged::TooSoon),
                }
            }
            Some((_, Place::After)) | None => {
                self.passed = 0;
                self.give_or_keep(new, need, whole);
                Some(Unjudged::Joined)
            }
        }
    }

    fn pass(&mut self, why: Unjudged) -> Unjudged {
        self.passed = self.passed.saturating_add(1);
        why
    }

    fn give_or_keep(&mut self, row: Gathered, need: &Need, whole: &mut Vec<Row>) {
        let is_awaited = |(i, channel): (usize, &usize)| {
            let without = self.without.get(i).copied().unwrap_or(0);
            without < AWAITED && row.value(*channel).is_none()
        };
        match need.channels.iter().enumerate().any(is_awaited) {
            true => self.open = Some(row),
            false => self.give(row, need, whole),
        }
    }

    fn give(&mut self, row: Gathered, need: &Need, whole: &mut Vec<Row>) {
        self.without.resize(need.channels.len(), 0);
        for (without, channel) in self.without.iter_mut().zip(&need.channels) {
            *without = match row.value(*channel) {
                Some(_) => 0,
                None => without.saturating_add(1),
            };
        }
        if let Some(last) = self.last {
            self.every = row.at.duration_since(last);
        }
        self.last = Some(row.at);
        whole.push(Row {
            at: row.at,
            values: row.values,
        });
    }

    /// A channel that comes when its row was given on without it is waited for next time.
    fn await_again(&mut self, late: &Gathered, need: &Need) {
        for (without, channel) in self.without.iter_mut().zip(&need.channels) {
            if late.value(*channel).is_some() {
                *without = 0;
            }
        }
    }

    /// Channels that are awaited no longer.
    pub(crate) fn missing(&self) -> usize {
        self.without.iter().filter(|without| **without >= AWAITED).count()
    }

    /// So much is missing that nothing can be judged: half of the channels, or the one that tells the programme's phase.
    pub(crate) fn lacks(&self, need: &Need) -> bool {
        let without = |i: usize| self.without.get(i).is_some_and(|without| *without >= AWAITED);
        need.phase.is_some_and(without) || self.missing() * 2 >= need.channels.len()
    }

    /// Readings whose time had passed, one after the other.
    pub(crate) fn passed(&self) -> u32 {
        self.passed
    }

    /// From the newest row given on but one to the newest.
    pub(crate) fn every(&self) -> SignedDuration {
        self.every
    }
}

impl Gathered {
    fn value(&self, channel: usize) -> Option<f64> {
        self.values.get(channel).copied().flatten()
    }

    /// Takes what this row has not; whether there was anything.
    fn join(&mut self, other: &Gathered) -> bool {
        let mut is_new = false;
        for (own, other) in self.values.iter_mut().zip(&other.values) {
            if own.is_none() && other.is_some() {
                *own = *other;
                is_new = true;
            }
        }
        is_new
    }
}

impl Need {
    pub(crate) fn of(manifest: &Manifest, profile: &ApplianceProfile) -> Self {
        let (phase, span_s) = match &manifest.resampling {
            Resampling::Period { period_s, .. } => (None, (1.0 - EARLY) * period_s),
            Resampling::Cycle { phase_channel, .. } => (profile.position(phase_channel), 0.0),
        };
        let features = manifest.features.iter();
        let read = features.flat_map(|feature| [Some(&feature.channel), feature.per.as_ref().map(|per| &per.channel)]);
        let mut channels: Vec<usize> = read.flatten().filter_map(|name| profile.position(name)).collect();
        channels.extend(phase);
        channels.sort_unstable();
        channels.dedup();
        Self {
            phase: phase.and_then(|phase| channels.iter().position(|channel| *channel == phase)),
            channels,
            span_s,
        }
    }

    /// How many channels the model reads.
    pub(crate) fn count(&self) -> usize {
        self.channels.len()
    }

    fn has_any(&self, values: &[Option<f64>]) -> bool {
        let mut channels = self.channels.iter();
        channels.any(|channel| values.get(*channel).is_some_and(Option::is_some))
    }

    fn place(&self, row: Timestamp, reading: Timestamp) -> Place {
        let apart_s = reading.duration_since(row).as_secs_f64();
        if apart_s == 0.0 || apart_s.abs() < self.span_s {
            Place::Within
        } else if apart_s < 0.0 {
            Place::Before
        } else {
            Place::After
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need() -> Need {
        Need {
            channels: vec![0, 1],
            phase: None,
            span_s: 0.75,
        }
    }

    fn at(s: f64) -> Timestamp {
        Timestamp::from_millisecond((s * 1000.0) as i64).unwrap()
    }

    /// Given readings (time, channels, seconds ahead of the hub's clock): rows that came out, and the reasons.
    fn run(gather: &mut Gather, readings: &[(f64, &str, f64)]) -> (Vec<(f64, String)>, Vec<&'static str>) {
        let (mut rows, mut reasons) = (Vec::new(), Vec::new());
        for (time, channels, ahead) in readings {
            let value = |c: char| channels.contains(c).then_some(*time);
            let row = Row {
                at: at(*time),
                values: ['a', 'b', 'c'].map(value).to_vec(),
            };
            let (whole, why) = gather.push(&row, at(time - ahead), &need());
            reasons.push(why.map_or("-", Into::into));
            for row in whole {
                let named = ['a', 'b', 'c'].into_iter().zip(&row.values);
                let names = named.filter_map(|(name, value)| value.map(|_| name)).collect();
                rows.push((row.at.as_millisecond() as f64 / 1000.0, names));
            }
        }
        (rows, reasons)
    }

    fn all(readings: &[(f64, &str, f64)]) -> (Vec<(f64, String)>, Vec<&'static str>) {
        run(&mut Gather::new(), readings)
    }

    #[test]
    fn one_channel_a_message_is_one_row_a_period() {
        let (rows, reasons) = all(&[
            (1.0, "a", 0.0),
            (1.0, "b", 0.0),
            (2.0, "b", 0.0),
            (2.3, "a", 0.0),
            (3.0, "ab", 0.0),
        ]);
        assert_eq!(
            rows,
            [(1.0, "ab".to_owned()), (2.0, "ab".to_owned()), (3.0, "ab".to_owned())]
        );
        assert_eq!(reasons, ["joined", "-", "joined", "-", "-"]);
    }

    #[test]
    fn a_row_that_lacks_a_channel_waits_for_the_next_period_until_the_channel_is_given_up() {
        let mut gather = Gather::new();
        let readings: Vec<_> = (0..12).map(|s| (f64::from(s), "a", 0.0)).collect();
        let (rows, reasons) = run(&mut gather, &readings);
        // Ten rows were without it, each given with the next; then two at once.
        assert_eq!(rows.len(), 12);
        assert_eq!((reasons[0], reasons[1], gather.missing()), ("joined", "-", 1));
        // It comes back, after its row was given: the next one waits for it.
        let (rows, reasons) = run(
            &mut gather,
            &[(12.0, "a", 0.0), (12.0, "b", 0.0), (13.0, "a", 0.0), (13.0, "b", 0.0)],
        );
        assert_eq!(rows, [(12.0, "a".to_owned()), (13.0, "ab".to_owned())]);
        assert_eq!(reasons, ["-", "repeated", "joined", "-"]);
        assert_eq!(gather.missing(), 0);
    }

    #[test]
    fn times_that_passed_make_nothing_and_are_told_apart() {
        let readings = [
            (5.0, "ab", 0.0),
            (5.0, "ab", 0.0),
            (5.5, "ab", 0.0),
            (3.0, "ab", 0.0),
            (6.0, "a", 0.0),
            (4.0, "b", 0.0),
            (6.1, "a", 0.0),
            (6.2, "c", 0.0),
        ];
        let (rows, reasons) = all(&readings);
        assert_eq!(rows.len(), 1);
        let expected = [
            "-",
            "repeated",
            "too_soon",
            "unordered",
            "joined",
            "unordered",
            "repeated",
            "no_value",
        ];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn one_reading_ahead_moves_nothing_and_a_clock_ahead_is_believed() {
        let (rows, reasons) = all(&[
            (1.0, "ab", 0.0),
            (571.0, "a", 570.0),
            (571.0, "b", 570.0),
            (2.0, "ab", 0.0),
            (3.0, "ab", 0.0),
        ]);
        assert_eq!(rows.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
        assert_eq!(reasons, ["-", "ahead", "ahead", "-", "-"]);
        // All of a device whose clock is ahead, and what it sends after a silence.
        let (rows, reasons) = all(&[
            (1.0, "ab", 90.0),
            (2.0, "ab", 90.0),
            (3.0, "ab", 90.0),
            (60.0, "ab", 90.0),
            (61.0, "ab", 90.0),
        ]);
        assert_eq!(
            rows.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [1.0, 2.0, 3.0, 60.0, 61.0]
        );
        assert_eq!(reasons, ["ahead", "-", "-", "-", "-"]);
        // A batch of such a device, received at once.
        let (rows, _) = all(&[
            (91.0, "ab", 60.0),
            (92.0, "ab", 61.0),
            (150.0, "ab", 119.0),
            (151.0, "ab", 60.0),
        ]);
        assert_eq!(rows.len(), 4);
    }
}
