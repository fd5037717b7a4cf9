//! Which slots a service point offers, and which of them is the next with a place.

use jiff::{SignedDuration, Timestamp, civil::Time, civil::Weekday, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A weekly slot of a service point, in its own time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklySlot {
    /// `monday` … `sunday`.
    pub day: Day,
    /// Local start, e.g. `09:00`.
    pub from: Time,
    /// Local end, e.g. `12:00`.
    pub to: Time,
    /// How many visits fit into it.
    pub capacity: u16,
}

/// A day of the week as the site file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Monday => Weekday::Monday,
            Day::Tuesday => Weekday::Tuesday,
            Day::Wednesday => Weekday::Wednesday,
            Day::Thursday => Weekday::Thursday,
            Day::Friday => Weekday::Friday,
            Day::Saturday => Weekday::Saturday,
            Day::Sunday => Weekday::Sunday,
        }
    }
}

/// A span of time in which a technician comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
}

/// A visit needs this much notice, so that the part can travel.
pub const NOTICE_MIN: SignedDuration = SignedDuration::from_hours(18);
/// How far ahead slots are offered, in days.
pub const DAYS_AHEAD_MAX: i64 = 28;

/// The first slot with a free place after the notice time, or `None` within four weeks. `booked` counts the visits
/// already agreed for the slot that starts at the given instant.
pub fn next_free(
    weekly: &[WeeklySlot],
    zone: &TimeZone,
    now: Timestamp,
    booked: impl Fn(Timestamp) -> u16,
) -> Option<Slot> {
    let earliest = now.checked_add(NOTICE_MIN).ok()?;
    let first_day = earliest.to_zoned(zone.clone()).date();
    (0..DAYS_AHEAD_MAX)
        .filter_map(|n| first_day.checked_add(jiff::Span::new().days(n)).ok())
        .flat_map(|date| {
            weekly
                .iter()
                .filter(move |w| Weekday::from(w.day) == date.weekday())
                .map(move |w| (date, w))
        })
        .filter_map(|(date, w)| {
            let start = date.to_datetime(w.from).to_zoned(zone.clone()).ok()?.timestamp();
            let end = date.to_datetime(w.to).to_zoned(zone.clone()).ok()?.timestamp();
            (start >= earliest && booked(start) < w.capacity).then_some(Slot { start, end })
        })
        .min_by_key(|slot| slot.start)
}

/// How many visits fit into exactly this slot; 0 if the weekly slots do not offer it.
pub fn capacity(weekly: &[WeeklySlot], zone: &TimeZone, slot: Slot) -> u16 {
    let local = |at: Timestamp| at.to_zoned(zone.clone());
    let (start, end) = (local(slot.start), local(slot.end));
    weekly
        .iter()
        .filter(|w| {
            Weekday::from(w.day) == start.date().weekday()
                && start.date() == end.date()
                && (w.from, w.to) == (start.time(), end.time())
        })
        .fold(0, |sum, w| sum.max(w.capacity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_slot_after_the_notice_time() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let weekly = [
            WeeklySlot {
                day: Day::Tuesday,
                from: Time::constant(9, 0, 0, 0),
                to: Time::constant(12, 0, 0, 0),
                capacity: 1,
            },
            WeeklySlot {
                day: Day::Thursday,
                from: Time::constant(14, 0, 0, 0),
                to: Time::constant(17, 0, 0, 0),
                capacity: 2,
            },
        ];
        // Monday 09:00 in Shanghai: Tuesday 09:00 is 24 hours away.
        let now: Timestamp = "2026-03-02T01:00:00Z".parse().unwrap();
        let tuesday: Timestamp = "2026-03-03T01:00:00Z".parse().unwrap();
        assert_eq!(next_free(&weekly, &zone, now, |_| 0).unwrap().start, tuesday);
        let thursday = next_free(&weekly, &zone, now, |at| u16::from(at == tuesday)).unwrap();
        assert_eq!(thursday.start.to_string(), "2026-03-05T06:00:00Z");
        assert_eq!(capacity(&weekly, &zone, thursday), 2);
        let shifted = Slot {
            start: thursday.start + SignedDuration::from_mins(1),
            ..thursday
        };
        assert_eq!(capacity(&weekly, &zone, shifted), 0);
        assert_eq!(next_free(&weekly, &zone, now, |_| 9), None);
        assert_eq!(next_free(&[], &zone, now, |_| 0), None);
    }
}
