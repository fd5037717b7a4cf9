//! Whether what is old enough may be deleted. Nothing brings deleted readings back, so the machine's clock alone is never
//! believed: a second witness says how late it is at the least, and what is deleted is what is too old by the earlier of the
//! two. Refusing the use of what has expired is no matter of this rule.
//!
//! A witness is never a value that this run has stamped, nor the word of one device. The table of all cases is the test below,
//! and in words in `docs/operations/retention.md`.

use jiff::{SignedDuration, Timestamp};

/// The machine's clock may be ahead of a clock that runs now by this much. Deletion goes by the earlier of the two, so this
/// bounds no loss: beyond it one of the two is wrong, and a person has to look.
pub const LEAD_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A site may be off for so long without anybody having to say anything. Until a clock that runs now tells more, deletion goes
/// by the time that is known to have passed.
pub const SEASON: SignedDuration = SignedDuration::from_hours(24 * 120);
/// So many devices must agree.
pub const DEVICES_MIN: usize = 3;
/// Clocks agree that are no further apart than this. It holds the time that messages wait on their way.
pub const AGREE_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Clocks, all at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The machine's.
    pub now: Timestamp,
    /// The machine's clock was set since the start, and is not back.
    pub is_moved: bool,
    /// That of a given database.
    pub database: Option<DatabaseClock>,
    /// What enough devices agree on: see [`agreed`].
    pub devices: Option<Timestamp>,
    /// What was vouched for before this start, or by a person since, and the time that has passed since it: at least so late
    /// it is.
    pub before: Option<Timestamp>,
}

/// The clock of a given database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseClock {
    /// What it says.
    pub at: Timestamp,
    /// It is another machine's, as far as its address tells. One on this machine has the same clock: it can contradict and never
    /// confirm.
    pub is_elsewhere: bool,
}

/// Who vouches for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// A given database.
    Database,
    /// Several devices.
    Devices,
    /// What was vouched for before the start, or by a person since.
    Before,
}

/// What may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What is too old at this time, and nothing else.
    May {
        /// The earlier of the machine's clock and the witness.
        until: Timestamp,
        /// Who vouches for it.
        by: Witness,
    },
    /// Nothing.
    Wait(Reason),
}

/// Why deletion waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The machine's clock was set since the start.
    Moved,
    /// Nobody vouches for any time yet: a database that is new.
    NoWitness,
    /// The machine's clock is ahead of what a witness allows.
    Ahead {
        /// Whom.
        of: Witness,
        /// By how much.
        by: SignedDuration,
    },
}

impl Clocks {
    /// What may be deleted by these clocks.
    pub fn verdict(&self) -> Verdict {
        if self.is_moved {
            return Verdict::Wait(Reason::Moved);
        }
        if let Some(database) = self.database {
            let told = self.told(database.at, Witness::Database, LEAD_MAX);
            if matches!(told, Verdict::Wait(_)) {
                return told;
            }
            // One that has the machine's own clock is heard only where it says otherwise. And whether another machine is
            // another one is not certain: devices may contradict it, and must confirm where more than a season has passed.
            let is_near = |before| database.at.duration_since(before) <= SEASON;
            if database.is_elsewhere && self.before.is_none_or(is_near) {
                return self.contradicted_by_devices().unwrap_or(told);
            }
        }
        match (self.devices, self.before) {
            (None, None) => Verdict::Wait(Reason::NoWitness),
            (Some(devices), None) => self.told(devices, Witness::Devices, LEAD_MAX),
            (Some(devices), Some(before)) if devices > before => self.told(devices, Witness::Devices, LEAD_MAX),
            // Devices that are behind what has passed for certain send what they kept: they tell nothing new.
            (devices, Some(before)) => match self.told(before, Witness::Before, SEASON) {
                Verdict::May { until, by } => Verdict::May {
                    until: devices.map_or(until, |devices| devices.min(until)),
                    by,
                },
                waits @ Verdict::Wait(_) => waits,
            },
        }
    }

    /// The latest time that is vouched for now: what counts as known before the next start. It never hangs on the machine's
    /// clock.
    pub fn vouched(&self) -> Option<Timestamp> {
        match self.verdict() {
            Verdict::May {
                by: Witness::Database, ..
            } => self.database.map(|database| database.at),
            Verdict::May {
                by: Witness::Devices, ..
            } => self.devices,
            Verdict::May {
                by: Witness::Before, ..
            }
            | Verdict::Wait(_) => self.before,
        }
    }

    /// Where devices tell more than is known to have passed, and by that the machine's clock is ahead.
    fn contradicted_by_devices(&self) -> Option<Verdict> {
        let (devices, before) = self.devices.zip(self.before)?;
        let told = self.told(devices, Witness::Devices, LEAD_MAX);
        (devices > before && matches!(told, Verdict::Wait(_))).then_some(told)
    }

    /// What follows from the word of one witness.
    fn told(&self, at: Timestamp, by: Witness, lead_max: SignedDuration) -> Verdict {
        let lead = self.now.duration_since(at);
        if lead > lead_max {
            return Verdict::Wait(Reason::Ahead { of: by, by: lead });
        }
        Verdict::May {
            until: self.now.min(at),
            by,
        }
    }
}

/// The time by devices' clocks, of which each is given as it would show now: the earliest of those that agree, where they are
/// [`DEVICES_MIN`] or more, and more than half of all that were heard.
pub fn agreed(mut clocks: Vec<Timestamp>) -> Option<Timestamp> {
    clocks.sort_unstable();
    for (place, first) in clocks.iter().enumerate() {
        let end = clocks.partition_point(|clock| clock.duration_since(*first) <= AGREE_WITHIN);
        let near = end - place;
        if near >= DEVICES_MIN && 2 * near > clocks.len() {
            return Some(*first);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;
    const YEARS: i64 = 3_652 * DAY;

    /// Clocks in minutes from a certain moment: the machine's, a given database's with whether it is elsewhere, the devices',
    /// and what is known from before the start.
    fn clocks(now: i64, database: Option<(i64, bool)>, devices: Option<i64>, before: Option<i64>) -> Clocks {
        Clocks {
            now: at(now),
            is_moved: false,
            database: database.map(|(minutes, is_elsewhere)| DatabaseClock {
                at: at(minutes),
                is_elsewhere,
            }),
            devices: devices.map(at),
            before: before.map(at),
        }
    }

    fn may(until: i64, by: Witness) -> Verdict {
        Verdict::May { until: at(until), by }
    }

    fn ahead(of: Witness, by: i64) -> Verdict {
        let by = SignedDuration::from_mins(by);
        Verdict::Wait(Reason::Ahead { of, by })
    }

    #[test]
    fn the_table_of_clocks() {
        use Witness::{Before, Database, Devices};
        let none = Verdict::Wait(Reason::NoWitness);
        let elsewhere = |minutes| Some((minutes, true));
        let here = |minutes| Some((minutes, false));
        let table = [
            // A database that is new, on this machine: nobody knows, whatever the clock says.
            ("new", clocks(0, None, None, None), none),
            ("new, ten years ahead", clocks(YEARS, None, None, None), none),
            ("new, given, here", clocks(0, here(0), None, None), none),
            // What is known from before the start.
            ("before, right", clocks(0, None, None, Some(0)), may(0, Before)),
            ("before, a reboot", clocks(0, None, None, Some(-3)), may(-3, Before)),
            (
                "before, an hour ahead",
                clocks(HOUR, None, None, Some(0)),
                may(0, Before),
            ),
            (
                "before, 13 h ahead",
                clocks(13 * HOUR, None, None, Some(0)),
                may(0, Before),
            ),
            (
                "before, 40 days ahead",
                clocks(40 * DAY, None, None, Some(0)),
                may(0, Before),
            ),
            (
                "before, a season off",
                clocks(120 * DAY, None, None, Some(0)),
                may(0, Before),
            ),
            (
                "before, longer",
                clocks(120 * DAY + 1, None, None, Some(0)),
                ahead(Before, 120 * DAY + 1),
            ),
            (
                "before, 431 days ahead",
                clocks(431 * DAY, None, None, Some(0)),
                ahead(Before, 431 * DAY),
            ),
            (
                "before, ten years ahead",
                clocks(YEARS, None, None, Some(0)),
                ahead(Before, YEARS),
            ),
            (
                "before, an hour behind",
                clocks(-HOUR, None, None, Some(0)),
                may(-HOUR, Before),
            ),
            (
                "before, six years behind",
                clocks(-YEARS, None, None, Some(0)),
                may(-YEARS, Before),
            ),
            // A given database on another machine.
            ("given, right", clocks(0, elsewhere(0), None, None), may(0, Database)),
            (
                "given, off a season",
                clocks(0, elsewhere(0), None, Some(-120 * DAY)),
                may(0, Database),
            ),
            (
                "given, off a year",
                clocks(0, elsewhere(0), None, Some(-365 * DAY)),
                ahead(Before, 365 * DAY),
            ),
            (
                "given, off a year, devices",
                clocks(0, elsewhere(0), Some(-1), Some(-365 * DAY)),
                may(-1, Devices),
            ),
            (
                "given, one wrong clock",
                clocks(YEARS, elsewhere(YEARS), None, Some(0)),
                ahead(Before, YEARS),
            ),
            (
                "given, 13 h ahead",
                clocks(13 * HOUR, elsewhere(0), None, Some(0)),
                may(0, Database),
            ),
            (
                "given, a day ahead",
                clocks(DAY, elsewhere(0), None, None),
                may(0, Database),
            ),
            (
                "given, longer",
                clocks(DAY + 1, elsewhere(0), None, None),
                ahead(Database, DAY + 1),
            ),
            (
                "given, ten years ahead",
                clocks(YEARS, elsewhere(0), None, None),
                ahead(Database, YEARS),
            ),
            (
                "given, both ahead",
                clocks(YEARS, elsewhere(0), Some(YEARS), Some(YEARS)),
                ahead(Database, YEARS),
            ),
            (
                "given, behind",
                clocks(-YEARS, elsewhere(0), None, Some(0)),
                may(-YEARS, Database),
            ),
            (
                "given, one wrong clock, devices",
                clocks(DAY * 40, elsewhere(DAY * 40), Some(0), Some(-1)),
                ahead(Devices, DAY * 40),
            ),
            (
                "given, queues",
                clocks(0, elsewhere(0), Some(-90 * DAY), Some(-90 * DAY)),
                may(0, Database),
            ),
            (
                "given, devices keep",
                clocks(0, elsewhere(0), Some(-90 * DAY), None),
                may(0, Database),
            ),
            // A given database on this machine contradicts and does not confirm.
            (
                "here, another clock",
                clocks(YEARS, here(0), None, Some(YEARS)),
                ahead(Database, YEARS),
            ),
            (
                "here, the same wrong clock",
                clocks(YEARS, here(YEARS), None, Some(0)),
                ahead(Before, YEARS),
            ),
            ("here, before", clocks(0, here(0), None, Some(-3)), may(-3, Before)),
            (
                "here, devices",
                clocks(0, here(0), Some(-1), Some(-3)),
                may(-1, Devices),
            ),
            // Devices.
            ("devices, right", clocks(0, None, Some(-1), None), may(-1, Devices)),
            (
                "devices, off a year",
                clocks(0, None, Some(-1), Some(-365 * DAY)),
                may(-1, Devices),
            ),
            (
                "devices, 8 h apart",
                clocks(8 * HOUR, None, Some(0), Some(-HOUR)),
                may(0, Devices),
            ),
            (
                "devices, a day",
                clocks(DAY, None, Some(0), Some(-HOUR)),
                may(0, Devices),
            ),
            (
                "devices, longer",
                clocks(DAY + 1, None, Some(0), Some(-HOUR)),
                ahead(Devices, DAY + 1),
            ),
            (
                "devices, 40 days ahead",
                clocks(40 * DAY, None, Some(0), None),
                ahead(Devices, 40 * DAY),
            ),
            (
                "devices, ten years ahead",
                clocks(YEARS, None, Some(0), Some(-1)),
                ahead(Devices, YEARS),
            ),
            (
                "devices, behind",
                clocks(-HOUR, None, Some(0), None),
                may(-HOUR, Devices),
            ),
            // Devices that send what they kept while everything was off: no fault, and no news.
            (
                "queues, a season off",
                clocks(0, None, Some(-90 * DAY), Some(-90 * DAY)),
                may(-90 * DAY, Before),
            ),
            (
                "queues, the hub was on",
                clocks(0, None, Some(-90 * DAY), Some(0)),
                may(-90 * DAY, Before),
            ),
            (
                "queues, too long off",
                clocks(0, None, Some(-130 * DAY), Some(-130 * DAY)),
                ahead(Before, 130 * DAY),
            ),
        ];
        for (case, clocks, expected) in table {
            assert_eq!(clocks.verdict(), expected, "{case}");
            // Whoever vouches: nothing goes while the clock is not where it was at the start.
            let moved = Clocks {
                is_moved: true,
                ..clocks
            };
            assert_eq!(moved.verdict(), Verdict::Wait(Reason::Moved), "{case}, moved");
        }
    }

    /// However the clocks stand, nothing is deleted that is not too old by a witness.
    #[test]
    fn deletion_never_goes_by_the_machines_clock_alone() {
        let times = [-YEARS, -90 * DAY, -HOUR, 0, 40 * DAY, YEARS];
        let maybe = || std::iter::once(None).chain(times.into_iter().map(Some));
        let mut allowed = 0;
        for now in times {
            for database in maybe() {
                for devices in maybe() {
                    for before in maybe() {
                        let clocks = clocks(now, database.map(|at| (at, true)), devices, before);
                        let Verdict::May { until, .. } = clocks.verdict() else {
                            continue;
                        };
                        let witnesses = [
                            clocks.database.map(|database| database.at),
                            clocks.devices,
                            clocks.before,
                        ];
                        let latest = witnesses.into_iter().flatten().max();
                        assert!(until <= clocks.now && Some(until) <= latest, "{clocks:?}");
                        allowed += 1;
                    }
                }
            }
        }
        assert!(allowed > 100, "{allowed}");
    }

    /// A run with a wrong clock does not become the witness of the next one.
    #[test]
    fn what_is_known_before_the_next_start_never_hangs_on_the_machines_clock() {
        for now in [-YEARS, 0, 40 * DAY, YEARS] {
            assert_eq!(clocks(now, None, None, Some(5)).vouched(), Some(at(5)));
            assert_eq!(clocks(now, None, None, None).vouched(), None);
            let moved = Clocks {
                is_moved: true,
                ..clocks(now, Some((now, true)), Some(now), Some(5))
            };
            assert_eq!(moved.vouched(), Some(at(5)));
        }
        // Ahead of a witness, it is as if nobody had said anything.
        assert_eq!(clocks(YEARS, Some((0, true)), None, Some(-5)).vouched(), Some(at(-5)));
        assert_eq!(clocks(YEARS, None, Some(0), Some(-5)).vouched(), Some(at(-5)));
        // Who vouches says it, also where what was known was too late.
        assert_eq!(clocks(3, Some((0, true)), None, Some(YEARS)).vouched(), Some(at(0)));
        assert_eq!(clocks(3, None, Some(1), Some(-YEARS)).vouched(), Some(at(1)));
        assert_eq!(clocks(3, None, Some(-9), Some(2)).vouched(), Some(at(2)));
    }

    #[test]
    fn devices_agree_where_three_and_more_than_half_do() {
        let told = |minutes: &[i64]| agreed(minutes.iter().map(|minutes| at(*minutes)).collect());
        for alone in [&[][..], &[0], &[0, 0], &[0, 1, 6], &[0, 6, 12]] {
            assert_eq!(told(alone), None, "{alone:?}");
        }
        assert_eq!(told(&[2, 0, 5]), Some(at(0)), "in any order, the earliest");
        assert_eq!(told(&[0, 1, 2, YEARS, YEARS]), Some(at(0)));
        assert_eq!(told(&[0, 1, YEARS, YEARS, YEARS]), Some(at(YEARS)));
        assert_eq!(told(&[0, 1, 2, YEARS, YEARS, YEARS]), None, "as many against as for");
        assert_eq!(told(&[-YEARS, 0, 1, 2]), Some(at(0)), "one of four may be wrong");
        assert_eq!(
            told(&[-YEARS, -DAY, 0, 1, 2, DAY, YEARS]),
            None,
            "three of seven are not enough"
        );
        assert_eq!(told(&[-9, 0, 1, 2, 3, 9]), Some(at(0)));
    }
}
