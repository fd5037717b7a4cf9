//! What happens to a ledger by itself: once a month its thresholds are found again from the family's past, each day it learns from closed
//! tickets, and in between its breakers count what is opened. And how it is kept: its entries apart from the rest, since there are many.

use super::{Ledger, ModelEntry, OTHER_MODELS};
use crate::budget::change::LedgerChange;
use crate::budget::gate::{ALARM, first_level};
use crate::budget::history::{History, MONTHS_MAX};
use crate::budget::judged::{Bin, JudgedTicket, reliability};
use crate::budget::precision::{Faults, ScoreBand};
use crate::budget::study::Studied;
use crate::budget::surge::{ReleaseError, expected_tickets};
use crate::budget::{Draws, Month};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Confirmed faults that the share of found ones is taken from, the newest.
const FAULTS_LEARNED_MAX: usize = 500;
/// Months of a year, by which the share of faults in a month is taken.
const MONTHS_A_YEAR: f64 = 12.0;
/// How often a ledger is kept in which nothing but the time changes.
const KEPT_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Seconds of a day, as rates go.
const DAY_S: f64 = 86_400.0;

impl Ledger {
    /// Appliances that the family watched in the newest whole month.
    pub fn watched(&self) -> u32 {
        self.watched
    }

    /// When it was reviewed last; none before the first time.
    pub fn reviewed_at(&self) -> Option<Timestamp> {
        self.reviewed_at
    }

    /// Tickets that were opened before this have been counted by the breakers.
    pub fn counted_to(&self) -> Option<Timestamp> {
        self.counted_to
    }

    /// Stated probabilities against what people found, by tenths that have verdicts, as it was reviewed last.
    pub fn reliability(&self) -> &[Bin] {
        &self.reliability
    }

    /// Score from which a ticket is opened, by appliance model; those without thresholds are left out.
    pub fn ticket_levels(&self) -> BTreeMap<&str, f64> {
        let known = self
            .models
            .iter()
            .filter_map(|(model, entry)| Some((model.as_str(), entry.thresholds.as_ref()?)));
        known
            .map(|(model, thresholds)| (model, thresholds.tickets.in_force.max(ALARM)))
            .collect()
    }

    /// Whether open findings are to be held against the levels again where this ledger takes the place of `before`: levels are others, or
    /// it was reviewed, since a finding may have come while the levels changed.
    pub fn wakes_findings(&self, before: &Self) -> bool {
        self.reviewed_at != before.reviewed_at || self.ticket_levels() != before.ticket_levels()
    }

    /// Confirmed faults of the family, and how many of them came to this score.
    pub fn faults_at(&self, score: f64) -> Faults {
        let reached = self.faults.iter().filter(|fault| f64::from(**fault) >= score);
        Faults {
            confirmed: u32::try_from(self.faults.len()).unwrap_or(u32::MAX),
            reached: u32::try_from(reached.count()).unwrap_or(u32::MAX),
        }
    }

    /// Whether it is to be reviewed: on each day (UTC) once, and after each statement.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        self.reviewed_at
            .is_none_or(|at| day(at) != day(now) || self.was_stated_since(at))
    }

    fn was_stated_since(&self, at: Timestamp) -> bool {
        self.statement().is_some_and(|statement| statement.at >= at)
    }

    /// Whether thresholds are found again with the next review: in each month once, and after each statement.
    fn wants_thresholds(&self, now: Timestamp) -> bool {
        self.reviewed_at
            .is_none_or(|at| Month::at(at) != Month::at(now) || self.was_stated_since(at))
    }

    /// Looks at the family's past, and learns from the closed tickets of its tenant. Once a day is often enough. Answers with what has
    /// changed. An appliance model that nobody has had for a year is forgotten.
    pub fn review(
        &mut self,
        family: &str,
        studied: &Studied,
        judged: &[JudgedTicket],
        now: Timestamp,
        draws: &mut Draws,
    ) -> Vec<LedgerChange> {
        let month = Month::at(now);
        let mut changes = Vec::new();
        if self.wants_thresholds(now) {
            changes = self.renew(month, first_level(family), &studied.histories, draws);
        }
        let oldest = month.plus(-i32::try_from(MONTHS_MAX).unwrap_or(i32::MAX));
        self.models.retain(|_, entry| {
            let thresholds = entry.thresholds.as_ref();
            thresholds.is_none_or(|thresholds| thresholds.month >= oldest)
        });
        self.count_watched(&studied.watched);
        self.learn_faults(studied.histories.values());
        self.learn(family, judged);
        self.reliability = reliability(judged, family);
        self.reviewed_at = Some(now);
        changes
    }

    /// Takes the confirmed faults of the family in place of those before, the newest 500: how high they come is what a score is judged by.
    pub fn learn_faults<'a>(&mut self, histories: impl IntoIterator<Item = &'a History>) {
        let mut faults: Vec<_> = histories.into_iter().flat_map(|history| history.faults()).collect();
        faults.sort_by_key(|fault| (fault.month, fault.appliance));
        let too_many = faults.len().saturating_sub(FAULTS_LEARNED_MAX);
        self.faults = faults.into_iter().skip(too_many).map(|fault| fault.score).collect();
    }

    fn count_watched(&mut self, watched: &BTreeMap<String, u32>) {
        let (mut all, mut other) = (0_u32, 0_u32);
        for (model, count) in watched {
            all = all.saturating_add(*count);
            match self.models.get_mut(model).filter(|_| model != OTHER_MODELS) {
                Some(entry) => entry.watched = *count,
                None => other = other.saturating_add(*count),
            }
        }
        for (model, entry) in &mut self.models {
            if !watched.contains_key(model) {
                entry.watched = 0;
            }
        }
        if let Some(entry) = self.models.get_mut(OTHER_MODELS) {
            entry.watched = other;
        }
        self.watched = all;
    }

    /// All verdicts again from all tickets, so that a corrected one counts as corrected.
    fn learn(&mut self, family: &str, judged: &[JudgedTicket]) {
        self.verdicts.clear();
        let mut judged: Vec<_> = judged.iter().collect();
        judged.sort_by_key(|ticket| ticket.closed_at);
        for ticket in judged {
            let Some(predicted) = ticket.predicted_by(family) else {
                continue;
            };
            let entry = self.models.get(self.place_of(&ticket.model));
            let calls = entry.and_then(|entry| entry.thresholds.as_ref()?.calls);
            let band = ScoreBand::of(f64::from(predicted.score), calls.map(|calls| calls.in_force));
            self.observe(band, ticket.verdict, ticket.month());
        }
    }

    /// The entry that counts for an appliance model: its own, or that of all which have none.
    fn place_of<'a>(&self, model: &'a str) -> &'a str {
        if self.models.contains_key(model) {
            model
        } else {
            OTHER_MODELS
        }
    }

    /// Counts up to `now` as [`Ledger::count`] does, where nothing was opened until `quiet_to`. What was expected of that span is taken
    /// first, and no sum falls below nothing for it: so hours of quiet hide no surge, and a ledger need not be kept while nothing is opened.
    pub fn count_after_quiet(
        &mut self,
        quiet_to: Timestamp,
        opened: &BTreeMap<String, u32>,
        now: Timestamp,
    ) -> Vec<LedgerChange> {
        let mut changes = Vec::new();
        if self.counted_to.is_some_and(|since| since < quiet_to) && quiet_to < now {
            changes = self.count(&BTreeMap::new(), quiet_to);
        }
        changes.extend(self.count(opened, now));
        changes
    }

    /// Whether this ledger, counted, says more than `before` but that time has passed: only then it has to be kept. Sums that have come
    /// down by quiet alone come down again by [`Ledger::count_after_quiet`]. Once a day it is kept all the same, so that a hub which begins
    /// does not look at tickets of months.
    pub fn is_news(&self, before: &Self, has_opened: bool) -> bool {
        let stops = |ledger: &Self| {
            let stops = ledger.models.values().filter_map(|entry| entry.breaker.stop());
            stops.map(|stop| stop.at).collect::<Vec<_>>()
        };
        let is_old = match (before.counted_to, self.counted_to) {
            (Some(was), Some(is)) => is.duration_since(was) >= KEPT_EVERY,
            (was, is) => was != is,
        };
        has_opened || is_old || stops(self) != stops(before)
    }

    /// Counts the tickets that were opened since it last counted, by appliance model, up to `now`. Without thresholds there is no
    /// expectation, and nothing is counted. Answers with what has stopped by this count.
    pub fn count(&mut self, opened: &BTreeMap<String, u32>, now: Timestamp) -> Vec<LedgerChange> {
        let Some(since) = self.counted_to.replace(now) else {
            return Vec::new();
        };
        let days = (now.duration_since(since).as_secs_f64() / DAY_S).max(0.0);
        let mut tickets: BTreeMap<&str, u32> = BTreeMap::new();
        for (model, count) in opened {
            let of_place = tickets.entry(self.place_of(model)).or_default();
            *of_place = of_place.saturating_add(*count);
        }
        let (budget, right_rate) = (self.budgets().tickets, self.faults_a_year() / MONTHS_A_YEAR);
        let mut changes = Vec::new();
        for (model, entry) in self.models.iter_mut().filter(|(_, entry)| entry.thresholds.is_some()) {
            let tickets = tickets.get(model.as_str()).copied().unwrap_or(0);
            let expected = expected_tickets(budget, right_rate, entry.watched, days);
            if entry.breaker.count(tickets, expected, now)
                && let Some(stop) = entry.breaker.stop()
            {
                changes.push(LedgerChange::Stopped {
                    model: model.clone(),
                    tickets: stop.tickets,
                    expected: stop.expected,
                });
            }
        }
        changes
    }

    /// A person lets calls of an appliance model go on until then.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`]; nothing has changed then.
    pub fn release(
        &mut self,
        model: &str,
        by: &str,
        reason: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LedgerChange, ReleaseError> {
        let entry = self.models.get_mut(model).ok_or(ReleaseError::NotStopped)?;
        entry.breaker.release(by, reason, now, until)?;
        Ok(LedgerChange::Released {
            model: model.to_owned(),
            reason: reason.to_owned(),
            until,
        })
    }

    /// Appliance models whose calls have stopped at this time.
    pub fn stopped(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let stopped = self
            .models
            .iter()
            .filter(move |(_, entry)| !entry.breaker.lets_calls_out(now));
        stopped.map(|(model, _)| model.as_str())
    }

    /// All entries, by appliance model.
    pub fn models(&self) -> &BTreeMap<String, ModelEntry> {
        &self.models
    }

    /// The ledger without its entries, which are kept apart.
    #[must_use]
    pub fn without_models(mut self) -> Self {
        self.models.clear();
        self
    }

    /// The ledger with these entries.
    #[must_use]
    pub fn with_models(mut self, models: BTreeMap<String, ModelEntry>) -> Self {
        self.models = models;
        self
    }
}
