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
/// Counted from here: rows without the channel that tells running from idle, if it has never come. One that comes on change alone may be
/// without it for long; one that never comes has no step.
const NEVER: u32 = 1 << 31;
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
    /// Rows given on, one after the other, that were without a channel; for each channel that the model reads. See [`NEVER`].
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
    /// The one of these that tells the phase of a programme, by its place among them: a row without it is of no run.
    phase: Option<usize>,
    /// The one that tells running from idle, by its place among them.
    running: Option<usize>,
    /// A channel that comes again begins the next row, however close that is: all rows of a run, or of a mean, count.
    again_is_next: bool,
    /// Channels that may be missing before nothing can be judged.
    missing_max: usize,
    /// Readings less than this apart are of one row, and those of the same time in any case. Rows of a run may be closer: there
    /// a channel that comes again begins the next one.
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
            match need.place(ahead.at, row.at, ahead.repeats(&new, need)) {
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
            match need.place(open.at, new.at, open.repeats(&new, need)) {
                Place::Before => {
                    self.open = Some(open);
                    return Some(self.pass(Unjudged::Unordered));
                }
                Place::Within => {
                    let begins = self.beginning(&open, &new, need);
                    let is_new = open.join(&new);
                    if is_new {
                        open.at = begins;
                    }
                    self.give_or_keep(open, need, whole);
                    return Some(if is_new { Unjudged::Joined } else { Unjudged::Repeated });
                }
                Place::After => self.give(open, need, whole),
            }
        } else if let Some(last) = self.last {
            match need.place(last, new.at, self.had(&new, need)) {
                Place::Before => return Some(self.pass(Unjudged::Unordered)),
                Place::Within => {
                    self.await_again(&new, need);
                    return match new.at == last {
                        true => Some(self.pass(Unjudged::Repeated)),
                        false => Some(Unjudged::TooSoon),
                    };
                }
                Place::After => {}
            }
        }
        self.passed = 0;
        self.give_or_keep(new, need, whole);
        Some(Unjudged::Joined)
    }

    /// Gives on what is gathered, since nothing more will come.
    pub(crate) fn end(&mut self, need: &Need) -> Option<Row> {
        let mut whole = Vec::new();
        let open = self.open.take()?;
        self.give(open, need, &mut whole);
        whole.pop()
    }

    /// When a row begins that this part joins: with the earliest part that the model reads, whichever came first, unless that lies
    /// too close behind the newest row given on.
    fn beginning(&self, row: &Gathered, part: &Gathered, need: &Need) -> Timestamp {
        let may_begin = self
            .last
            .is_none_or(|last| need.place(last, part.at, true) == Place::After);
        match (need.has_any(&row.values), need.has_any(&part.values)) {
            (false, true) if may_begin => part.at,
            (true, true) if may_begin => row.at.min(part.at),
            _ => row.at,
        }
    }

    /// Whether the newest row that was given on had a channel of this reading.
    fn had(&self, reading: &Gathered, need: &Need) -> bool {
        let mut channels = self.without.iter().zip(&need.channels);
        channels.any(|(without, channel)| *without == 0 && reading.value(*channel).is_some())
    }

    fn pass(&mut self, why: Unjudged) -> Unjudged {
        self.passed = self.passed.saturating_add(1);
        why
    }

    fn give_or_keep(&mut self, row: Gathered, need: &Need, whole: &mut Vec<Row>) {
        let is_awaited = |(i, channel): (usize, &usize)| {
            let without = self.without.get(i).copied().unwrap_or(0);
            !is_missing(without) && row.value(*channel).is_none()
        };
        match need.channels.iter().enumerate().any(is_awaited) {
            true => self.open = Some(row),
            false => self.give(row, need, whole),
        }
    }

    fn give(&mut self, row: Gathered, need: &Need, whole: &mut Vec<Row>) {
        if self.without.is_empty() {
            self.without.resize(need.channels.len(), 0);
            if let Some(running) = need.running.and_then(|running| self.without.get_mut(running)) {
                *running = NEVER;
            }
        }
        self.without.resize(need.channels.len(), 0);
        let is_of_run = need.has_phase(&row);
        for (i, (without, channel)) in self.without.iter_mut().zip(&need.channels).enumerate() {
            // What comes without the phase is of no use, and its channels are as good as missing.
            if !is_of_run && need.phase != Some(i) {
                continue;
            }
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
        self.without.iter().filter(|without| is_missing(**without)).count()
    }

    /// Whether a channel of the profile, by its position there, is awaited no longer.
    pub(crate) fn misses(&self, channel: usize, need: &Need) -> bool {
        let mut channels = need.channels.iter().zip(&self.without);
        channels.any(|(of, without)| *of == channel && is_missing(*without))
    }

    /// So much is missing that nothing can be judged: half of the channels, or the one that tells the programme's phase; without a
    /// network, which watches what is there, all of them, or the one that tells running from idle, if it has never come.
    pub(crate) fn lacks(&self, need: &Need) -> bool {
        let without = |i: usize| self.without.get(i).copied().filter(|without| is_missing(*without));
        let never = |i: usize| without(i).is_some_and(|without| without >= NEVER);
        need.phase.and_then(without).is_some() || need.running.is_some_and(never) || self.missing() > need.missing_max
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

/// Whether a channel is awaited no longer, when so many rows were without it.
fn is_missing(without: u32) -> bool {
    without & !NEVER >= AWAITED
}

impl Gathered {
    fn value(&self, channel: usize) -> Option<f64> {
        self.values.get(channel).copied().flatten()
    }

    /// Whether both have a channel that the model reads.
    fn repeats(&self, other: &Gathered, need: &Need) -> bool {
        let mut channels = need.channels.iter();
        channels.any(|channel| self.value(*channel).is_some() && other.value(*channel).is_some())
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
    /// What a manifest asks for, and channels besides, by their positions in the profile, which are read for figures of its runs.
    pub(crate) fn of(
        manifest: &Manifest,
        profile: &ApplianceProfile,
        of_figures: impl IntoIterator<Item = usize>,
    ) -> Self {
        let (phase, period_s) = match &manifest.resampling {
            Resampling::Period { period_s, .. } => (None, period_s),
            Resampling::Cycle {
                phase_channel,
                period_s,
                ..
            } => (profile.position(phase_channel), period_s),
            Resampling::Mean { row_s, .. } => (None, row_s),
        };
        let running = match &manifest.resampling {
            Resampling::Mean { running, .. } => running.as_ref(),
            Resampling::Period { .. } | Resampling::Cycle { .. } => None,
        };
        let features = manifest.features.iter();
        let read = features.flat_map(|feature| [Some(&feature.channel), feature.per.as_ref().map(|per| &per.channel)]);
        let mut channels: Vec<usize> = read.flatten().filter_map(|name| profile.position(name)).collect();
        channels.extend(phase);
        channels.extend(of_figures);
        let running = running.and_then(|running| profile.position(&running.channel));
        channels.extend(running);
        channels.sort_unstable();
        channels.dedup();
        let tolerated = match manifest.detector {
            None => channels.len().div_ceil(2),
            Some(_) => channels.len(),
        };
        let place = |of: usize| channels.iter().position(|channel| *channel == of);
        Self {
            missing_max: tolerated.saturating_sub(1),
            again_is_next: matches!(manifest.resampling, Resampling::Cycle { .. } | Resampling::Mean { .. }),
            phase: phase.and_then(place),
            running: running.and_then(place),
            channels,
            span_s: (1.0 - EARLY) * period_s,
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

    /// Whether this row may be of a run, as every row is where there are none.
    fn has_phase(&self, row: &Gathered) -> bool {
        let phase = self.phase.and_then(|phase| self.channels.get(phase));
        phase.is_none_or(|phase| row.value(*phase).is_some())
    }

    /// Where a reading lies beside a row, of which it `repeats` a channel or not.
    fn place(&self, row: Timestamp, reading: Timestamp, repeats: bool) -> Place {
        let apart_s = reading.duration_since(row).as_secs_f64();
        let is_next = repeats && self.again_is_next;
        if apart_s == 0.0 || (apart_s.abs() < self.span_s && !is_next) {
            Place::Within
        } else if apart_s < 0.0 {
            Place::Before
        } else {
            Place::After
        }
    }
}

#[cfg(test)]
mod tests;
