//! How long readings are kept.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Seconds of a day (UTC).
pub const DAY_S: i64 = 24 * 3_600;

/// How long a tenant's readings are kept, by event time. Hourly and daily aggregates of them stay.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Of appliances of this profile; without it, of all that have no rule of their own.
    pub profile: Option<String>,
    /// Whole days, [`DAYS_MIN`] to [`DAYS_MAX`]; without it, permanently.
    pub days: Option<u32>,
}

/// The midnight (UTC) so many days before: what was measured before it goes.
pub fn kept_from(now: Timestamp, days: i64) -> Timestamp {
    let midnight = Timestamp::from_second(now.as_second().div_euclid(DAY_S) * DAY_S);
    let before = SignedDuration::from_hours(24 * days);
    midnight.and_then(|at| at.checked_sub(before)).unwrap_or(Timestamp::MIN)
}

/// Fewer days are refused: by then, aggregates are certain to be complete.
pub const DAYS_MIN: u32 = 10;
/// A hundred years.
pub const DAYS_MAX: u32 = 36_500;

/// What is usual is told by so many days: the last on which sweeps took something …
pub const SWEEPS_KEPT: usize = 30;
/// … and at least by so many.
pub const SWEEPS_MIN: usize = 7;
/// A sweep that takes more than so many times the median of these waits for a person.
pub const USUAL_TIMES: u64 = 10;
/// What a person has confirmed counts for so long.
pub const CONFIRMED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The most rows that a sweep takes without a person's word, by what all sweeps of a day took on the last days on which they
/// took something; `None` while these are too few to tell. Days, since limits lie at midnight: the first sweep of a day takes
/// nearly all, and the others what came late.
pub fn usual_max(mut last: Vec<u64>) -> Option<u64> {
    if last.len() < SWEEPS_MIN {
        return None;
    }
    last.sort_unstable();
    let median = last.get(last.len() / 2)?;
    Some(median.saturating_mul(USUAL_TIMES))
}

impl Retention {
    /// Which appliances it is about, in words.
    pub fn family(&self) -> &str {
        self.profile.as_deref().unwrap_or("all profiles")
    }

    /// Whether it can be kept; if not, what is wanted. `profiles` are the names of the profiles that exist.
    pub fn check(&self, profiles: &BTreeSet<String>) -> Result<(), &'static str> {
        if self.profile.as_ref().is_some_and(|profile| !profiles.contains(profile)) {
            return Err("there is no such profile");
        }
        if self.days.is_some_and(|days| !(DAYS_MIN..=DAYS_MAX).contains(&days)) {
            return Err("days must be 10 to 36500, or left out to keep readings for ever");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_starts_at_midnight() {
        let now = "2026-03-12T23:59:59Z".parse().unwrap();
        assert_eq!(kept_from(now, 10), "2026-03-02T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn ten_times_the_median_is_usual_once_there_are_some() {
        assert_eq!(usual_max(vec![5; SWEEPS_MIN - 1]), None);
        assert_eq!(usual_max(vec![5; SWEEPS_MIN]), Some(50));
        // One that was confirmed does not make the next one usual.
        assert_eq!(usual_max(vec![5, 5, 1_000_000, 6, 4, 7, 5]), Some(50));
        assert_eq!(
            usual_max(vec![1, 2, 3, 4, 5, 6, 7, 8]),
            Some(50),
            "of two in the middle the larger"
        );
        assert_eq!(usual_max(vec![u64::MAX; 30]), Some(u64::MAX));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let profiles: BTreeSet<String> = ["pump".to_owned()].into();
        let check = |profile: Option<&str>, days| {
            let profile = profile.map(str::to_owned);
            Retention { profile, days }.check(&profiles)
        };
        assert_eq!(check(Some("pump"), Some(DAYS_MIN)), Ok(()));
        assert_eq!(check(None, None), Ok(()));
        assert!(check(Some("boiler"), None).is_err());
        for days in [0, DAYS_MIN - 1, DAYS_MAX + 1] {
            assert!(check(None, Some(days)).is_err_and(|wanted| wanted.contains("10 to 36500")));
        }
    }
}
