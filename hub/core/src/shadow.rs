//! A challenger beside the model that is served, its champion: what it would have said, and who was right. It opens nothing and
//! rings nobody.

use crate::outcome::Verdict;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Alarms of a challenger that are kept of one appliance; older ones are counted.
pub const SHADOW_ALARMS_MAX: usize = 20;
/// Alarms of both are about one thing if they overlap or are this far apart at most: a run of a machine that is used seldom.
pub const NEAR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a challenger says of an appliance, by the appliance's clock.
#[derive(Debug, Clone, PartialEq)]
pub enum ShadowSaid {
    /// It has learned what is normal here and judges from now on. It may be said again: the first time counts.
    Judges {
        /// Reading that it judged first.
        at: Timestamp,
    },
    /// An alarm rises, is named or grows.
    Alarm {
        /// Reading at which it does.
        at: Timestamp,
        /// Word of the challenger's list, or `unknown_fault`.
        fault_class: String,
        /// Probability that it states, 0 to 1.
        probability: f32,
    },
    /// The alarm has ended.
    Clear {
        /// Reading at which it has.
        at: Timestamp,
    },
}

/// An alarm of a challenger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowAlarm {
    /// Reading at which it rose.
    pub at: Timestamp,
    /// Reading at which it ended; none while it stands.
    pub until: Option<Timestamp>,
    /// What it was named last.
    pub fault_class: String,
    /// The highest probability that was stated, 0 to 1.
    pub probability: f32,
}

/// All alarms of a challenger at one appliance. Bounded: the newest are kept, all are counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShadowAlarms {
    /// Reading that it judged first, by the appliance's clock; none while it has judged nothing. Stores keep it beside the rest.
    #[serde(skip)]
    pub judged_from: Option<Timestamp>,
    /// How many there were.
    pub count: u32,
    /// The newest of them, at most [`SHADOW_ALARMS_MAX`], the oldest first.
    pub newest: Vec<ShadowAlarm>,
}

/// An alarm of the champion: a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChampionAlarm {
    /// Reading at which it rose.
    pub at: Timestamp,
    /// When it had ended; none while it stands.
    pub until: Option<Timestamp>,
    /// The verdict on its ticket, if that is closed.
    pub verdict: Option<Verdict>,
}

/// How champion and challenger compare, added up over appliances. Of each counts the time in which both judged: while a challenger
/// still learns what is normal it cannot alarm, and is not behind its champion for that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Appliances that the challenger has judged.
    pub appliances: u64,
    /// Alarms of the champion that rose since the challenger judged there.
    pub champion: u64,
    /// Alarms of the challenger.
    pub challenger: u64,
    /// Alarms of the champion near which the challenger alarmed too.
    pub agreed: u64,
    /// Alarms of the challenger, of those that are kept, near which the champion did not alarm.
    pub challenger_alone: u64,
    /// Closed tickets on which a fault was found.
    pub faults: Judged,
    /// Closed tickets on which there was none.
    pub false_alarms: Judged,
}

/// Closed tickets of the champion, by what the challenger did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judged {
    /// The challenger alarmed too.
    pub both: u64,
    /// The challenger was silent.
    pub champion_alone: u64,
}

impl ShadowAlarms {
    /// Takes in what the challenger says.
    pub fn take(&mut self, said: &ShadowSaid) {
        if let ShadowSaid::Judges { at } | ShadowSaid::Alarm { at, .. } = said {
            self.judged_from.get_or_insert(*at);
        }
        let standing = self.newest.last_mut().filter(|alarm| alarm.until.is_none());
        match (said, standing) {
            (ShadowSaid::Judges { .. }, _) => {}
            (ShadowSaid::Clear { at }, Some(alarm)) => alarm.until = Some(*at),
            (ShadowSaid::Clear { .. }, None) => {}
            (
                ShadowSaid::Alarm {
                    fault_class,
                    probability,
                    ..
                },
                Some(alarm),
            ) => {
                alarm.fault_class.clone_from(fault_class);
                alarm.probability = alarm.probability.max(bounded(*probability));
            }
            (
                ShadowSaid::Alarm {
                    at,
                    fault_class,
                    probability,
                },
                None,
            ) => {
                self.count = self.count.saturating_add(1);
                self.newest.push(ShadowAlarm {
                    at: *at,
                    until: None,
                    fault_class: fault_class.clone(),
                    probability: bounded(*probability),
                });
                let over = self.newest.len().saturating_sub(SHADOW_ALARMS_MAX);
                self.newest.drain(..over);
            }
        }
    }
}

/// What JSON can hold, whatever a model states.
fn bounded(probability: f32) -> f32 {
    if probability.is_nan() {
        0.0
    } else {
        probability.clamp(0.0, 1.0)
    }
}

impl ChampionAlarm {
    /// Whether it is looked at beside a challenger that has judged since then: it stood then, or rose later.
    pub fn reaches(&self, judged_from: Timestamp) -> bool {
        self.until.is_none_or(|until| until >= judged_from)
    }
}

impl Comparison {
    /// Adds the alarms of both at one appliance. One of the champion that stood already when the challenger began to judge is not
    /// counted, for it did not rise before both; but what the challenger says of it is nothing that the champion had not seen.
    pub fn add(&mut self, champion: &[ChampionAlarm], challenger: &ShadowAlarms) {
        let Some(judged_from) = challenger.judged_from else {
            return;
        };
        self.appliances += 1;
        let seen: Vec<&ChampionAlarm> = champion.iter().filter(|alarm| alarm.reaches(judged_from)).collect();
        let is_near = |one: &ChampionAlarm, other: &ShadowAlarm| {
            let begins_in_time = |begin: Timestamp, end: Option<Timestamp>| {
                end.is_none_or(|end| begin.as_second() <= end.as_second().saturating_add(NEAR.as_secs()))
            };
            begins_in_time(one.at, other.until) && begins_in_time(other.at, one.until)
        };
        self.challenger += u64::from(challenger.count);
        for alarm in seen.iter().filter(|alarm| alarm.at >= judged_from) {
            self.champion += 1;
            let both = challenger.newest.iter().any(|other| is_near(alarm, other));
            self.agreed += u64::from(both);
            let judged = match alarm.verdict {
                Some(Verdict::Right | Verdict::OtherFault) => &mut self.faults,
                Some(Verdict::Wrong) => &mut self.false_alarms,
                Some(Verdict::NotChecked) | None => continue,
            };
            match both {
                true => judged.both += 1,
                false => judged.champion_alone += 1,
            }
        }
        let alone = challenger.newest.iter();
        let alone = alone.filter(|other| !seen.iter().any(|alarm| is_near(alarm, other)));
        self.challenger_alone += alone.count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
    }

    fn alarm(at: i64, probability: f32) -> ShadowSaid {
        ShadowSaid::Alarm {
            at: day(at),
            fault_class: format!("fault_{at}"),
            probability,
        }
    }

    /// Of a challenger that has judged from the first day on.
    fn of(said: &[ShadowSaid]) -> ShadowAlarms {
        from(0, said)
    }

    fn from(judges: i64, said: &[ShadowSaid]) -> ShadowAlarms {
        let mut alarms = ShadowAlarms::default();
        alarms.take(&ShadowSaid::Judges { at: day(judges) });
        said.iter().for_each(|said| alarms.take(said));
        alarms
    }

    fn champion(at: i64, until: Option<i64>, verdict: Option<Verdict>) -> ChampionAlarm {
        ChampionAlarm {
            at: day(at),
            until: until.map(day),
            verdict,
        }
    }

    #[test]
    fn an_alarm_is_one_however_often_it_is_told_and_the_newest_are_kept() {
        let clear = ShadowSaid::Clear { at: day(3) };
        let told = of(&[clear.clone(), alarm(1, 0.5), alarm(2, f32::NAN), clear, alarm(4, 7.0)]);
        assert_eq!(told.count, 2);
        let first = &told.newest[0];
        assert_eq!((first.at, first.until, first.probability), (day(1), Some(day(3)), 0.5));
        assert_eq!(first.fault_class, "fault_2", "as it was named last");
        assert_eq!((told.newest[1].until, told.newest[1].probability), (None, 1.0));

        let many = (0..50).flat_map(|at| [alarm(at, 0.5), ShadowSaid::Clear { at: day(at) }]);
        let many = of(&many.collect::<Vec<_>>());
        assert_eq!((many.count, many.newest.len()), (50, SHADOW_ALARMS_MAX));
        assert_eq!(many.newest[0].at, day(30));
    }

    #[test]
    fn who_was_right_is_told_by_closed_tickets() {
        let mut comparison = Comparison::default();
        // Both saw the fault, the challenger six days later.
        let late = of(&[alarm(16, 0.9), ShadowSaid::Clear { at: day(18) }]);
        comparison.add(&[champion(1, Some(10), Some(Verdict::Right))], &late);
        // Eight days are another thing; that one still stands.
        comparison.add(&[champion(1, Some(7), Some(Verdict::Wrong))], &of(&[alarm(16, 0.9)]));
        // Nobody looked, and one is open.
        let open = [
            champion(1, Some(2), Some(Verdict::NotChecked)),
            champion(30, None, None),
        ];
        comparison.add(&open, &of(&[alarm(90, 0.9)]));
        comparison.add(&[champion(1, None, Some(Verdict::OtherFault))], &of(&[]));
        let expected = Comparison {
            appliances: 4,
            champion: 5,
            challenger: 3,
            agreed: 2,
            challenger_alone: 1,
            faults: Judged {
                both: 1,
                champion_alone: 1,
            },
            false_alarms: Judged {
                both: 0,
                champion_alone: 1,
            },
        };
        assert_eq!(comparison, expected);
    }

    #[test]
    fn a_challenger_is_not_behind_for_the_days_in_which_it_learned_what_is_normal() {
        let mut comparison = Comparison::default();
        let of_champion = [
            // Over before the challenger judged, though near what it says later.
            champion(1, Some(9), Some(Verdict::Right)),
            // It stood then: not counted, but what the challenger says of it is not its own alone.
            champion(2, Some(30), Some(Verdict::Right)),
        ];
        let ended = ShadowSaid::Clear { at: day(12) };
        comparison.add(&of_champion, &from(10, &[alarm(11, 0.9), ended.clone()]));
        let expected = Comparison {
            appliances: 1,
            challenger: 1,
            ..Comparison::default()
        };
        assert_eq!(comparison, expected);

        // From the first reading on that it judged it counts.
        comparison.add(&[champion(10, Some(11), Some(Verdict::Right))], &from(10, &[]));
        assert_eq!((comparison.champion, comparison.faults.champion_alone), (1, 1));
        // What was over by then is near nothing.
        comparison.add(&of_champion[..1], &from(10, &[alarm(11, 0.9), ended]));
        assert_eq!((comparison.champion, comparison.challenger_alone), (1, 1));
        // One that has judged nothing is compared with nothing.
        comparison.add(&of_champion, &ShadowAlarms::default());
        assert_eq!((comparison.appliances, comparison.champion), (3, 1));
    }

    #[test]
    fn the_first_time_that_it_judges_counts_and_who_alarms_has_judged() {
        let mut alarms = from(3, &[alarm(5, 0.5)]);
        alarms.take(&ShadowSaid::Judges { at: day(8) });
        assert_eq!((alarms.judged_from, alarms.count), (Some(day(3)), 1));
        let mut alarms = ShadowAlarms::default();
        alarms.take(&ShadowSaid::Clear { at: day(1) });
        assert_eq!(alarms, ShadowAlarms::default());
        alarms.take(&alarm(2, 0.5));
        assert_eq!(alarms.judged_from, Some(day(2)));
    }
}
