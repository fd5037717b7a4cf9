//! Hours in which somebody works, and by when a person rings who was promised.
//!
//! A service point works from the first of its slots of a day to the end of the last one. Where no service point is known, or it
//! offers no slots, the hours are those in which the tenant's call rules let owners be rung.

use crate::appointment::WeeklySlot;
use crate::call_rules::CallRules;
use crate::site::ServicePoint;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

/// A person rings within so much time in which somebody works.
const WORK: SignedDuration = SignedDuration::from_hours(2);
/// Hours are counted in steps of this many minutes: a voice need not speak another time each minute.
const STEP_MIN: i64 = 5;
/// How far ahead a working hour is looked for.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 14);

/// Hours in which a person may be expected to ring an owner.
#[derive(Debug, Clone, Copy)]
pub struct WorkingHours<'a> {
    /// Service point that serves the appliance, if one does.
    pub point: Option<&'a ServicePoint>,
    /// The tenant's rules for calls: nobody is rung at other hours.
    pub rules: &'a CallRules,
    /// The household's time zone, which the rules go by; none if it is not known.
    pub zone: Option<&'a TimeZone>,
}

impl WorkingHours<'_> {
    /// Time by which a person rings who is promised now: two working hours later, in steps of five minutes. The hours of the service
    /// point and of the call rules both count; where they have nothing in common within two weeks, those of the call rules alone.
    pub fn rings_by(&self, now: Timestamp) -> Timestamp {
        let point = self.point.filter(|point| !point.slots.is_empty());
        let at_point = point.and_then(|point| Some((point, TimeZone::get(&point.zone).ok()?)));
        let may_ring = |at: Timestamp| self.zone.is_none_or(|zone| self.rules.allow(zone, at));
        let works = |at: Timestamp| {
            let (point, zone) = at_point.as_ref()?;
            Some(is_open(&point.slots, zone, at))
        };
        let both = |at: Timestamp| may_ring(at) && works(at).unwrap_or(true);
        let start = next_step(now);
        worked(start, both)
            .or_else(|| worked(start, may_ring))
            .unwrap_or(start + WORK)
    }
}

/// The end of so many steps from `start` on as make up [`WORK`].
fn worked(start: Timestamp, is_open: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
    let step = SignedDuration::from_mins(STEP_MIN);
    let (mut at, end, mut left) = (start, start + AHEAD, WORK);
    while at < end {
        let open = is_open(at);
        at += step;
        if open {
            left -= step;
        }
        if left <= SignedDuration::ZERO {
            return Some(at);
        }
    }
    None
}

fn next_step(now: Timestamp) -> Timestamp {
    let steps = TimestampRound::new()
        .smallest(Unit::Minute)
        .increment(STEP_MIN)
        .mode(RoundMode::Ceil);
    now.round(steps).unwrap_or(now)
}

/// Whether somebody works: between the first slot of the day and the end of the last.
fn is_open(slots: &[WeeklySlot], zone: &TimeZone, at: Timestamp) -> bool {
    let local = at.to_zoned(zone.clone());
    let today = || slots.iter().filter(|slot| Weekday::from(slot.day) == local.weekday());
    let first = today().map(|slot| slot.from).min();
    let last = today().map(|slot| slot.to).max();
    first
        .zip(last)
        .is_some_and(|(first, last)| (first..last).contains(&local.time()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appointment::Day;
    use crate::language::Localised;
    use jiff::civil::Time;

    fn slot(day: Day, from: i8, to: i8) -> WeeklySlot {
        WeeklySlot {
            day,
            from: Time::constant(from, 0, 0, 0),
            to: Time::constant(to, 0, 0, 0),
            capacity: 1,
        }
    }

    fn point(slots: Vec<WeeklySlot>) -> ServicePoint {
        let name = "Pudong".to_owned();
        ServicePoint {
            id: "pudong".to_owned(),
            name: Localised {
                zh_cn: name.clone(),
                en: name,
            },
            zone: "Asia/Shanghai".to_owned(),
            slots,
        }
    }

    /// The promise that is made at a time in Shanghai, there.
    fn promised(point: Option<&ServicePoint>, at: &str) -> String {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let now: jiff::civil::DateTime = at.parse().unwrap();
        let hours = WorkingHours {
            point,
            rules: &CallRules::default(),
            zone: Some(&zone),
        };
        let by = hours.rings_by(now.to_zoned(zone.clone()).unwrap().timestamp());
        by.to_zoned(zone).strftime("%a %H:%M").to_string()
    }

    #[test]
    fn a_person_rings_within_two_hours_of_work() {
        // Monday to Friday, with a lunch that nobody is asked about; calls are allowed from 9 to 20.
        let week = [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday];
        let week = week.into_iter().flat_map(|day| [slot(day, 8, 12), slot(day, 14, 17)]);
        let desk = point(week.collect());
        let (none, desk) = (None, Some(&desk));
        for (point, now, by) in [
            // 2 March 2026 is a Monday.
            (none, "2026-03-02T10:00", "Mon 12:00"),
            (none, "2026-03-02T10:00:01", "Mon 12:05"),
            (none, "2026-03-02T18:00", "Mon 20:00"),
            (none, "2026-03-02T19:06", "Tue 10:10"),
            (none, "2026-03-02T23:30", "Tue 11:00"),
            (none, "2026-03-02T03:00", "Mon 11:00"),
            (none, "2026-03-07T12:00", "Sat 14:00"),
            (desk, "2026-03-02T10:00", "Mon 12:00"),
            (desk, "2026-03-02T11:30", "Mon 13:30"),
            // The point works from 8, but nobody is rung before 9.
            (desk, "2026-03-02T07:00", "Mon 11:00"),
            (desk, "2026-03-02T16:00", "Tue 10:00"),
            // After Friday comes Monday.
            (desk, "2026-03-06T16:30", "Mon 10:30"),
            (desk, "2026-03-07T12:00", "Mon 11:00"),
        ] {
            assert_eq!(promised(point, now), by, "{now}");
        }
    }

    #[test]
    fn hours_in_which_nobody_may_be_rung_are_no_working_hours() {
        let night = point(vec![slot(Day::Monday, 21, 23)]);
        assert_eq!(promised(Some(&night), "2026-03-02T10:00"), "Mon 12:00");
        let empty = point(Vec::new());
        assert_eq!(promised(Some(&empty), "2026-03-02T19:06"), "Tue 10:10");
        let now = "2026-03-02T19:06:00Z".parse().unwrap();
        let nowhere = WorkingHours {
            point: None,
            rules: &CallRules::default(),
            zone: None,
        };
        assert_eq!(nowhere.rings_by(now).to_string(), "2026-03-02T21:10:00Z");
    }
}
