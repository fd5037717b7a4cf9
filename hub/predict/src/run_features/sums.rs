//! What is taken of the rows of a run that count, one by one.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Take;

/// Rows of which a scatter is told at the least.
const SCATTER_ROWS_MIN: u32 = 8;
/// Minutes between two rows whose difference is a rate: of rows that are farther apart nobody knows how much of the time was of the phase.
const APART_MIN: (f64, f64) = (0.5, 1.5);
/// Refills for each minute in which nothing is let in, at the most.
const REFILLS_MAX: f64 = 0.2;
/// Minutes between two rows at the most where that does not matter: of a loss, and of a fall of which the fastest is told.
const FAR_APART_MIN: f64 = 3.2;
/// Minutes of rows from which a loss is told at the least, and minutes without a loss that are added: few rows say little.
const LOSS_MIN: f64 = 5.0;
const LOSS_MORE_MIN: f64 = 10.0;

/// Where a row stands in its run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Its number, from 0.
    pub(super) number: u32,
    pub(super) at_us: i64,
    /// Time of the row before it, whether that counts or not, and the channel in it.
    pub(super) before: Option<(i64, Option<f64>)>,
    /// Rows of the same phase just before it.
    pub(super) into_stretch: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Sums {
    Mean {
        count: f64,
        sum: f64,
    },
    /// Welford's update.
    Scatter {
        count: u32,
        mean: f64,
        squares: f64,
    },
    Rise {
        whole: Whole,
        fastest: Option<f64>,
        stretch: Option<Stretch>,
    },
    Fall {
        fastest: Option<f64>,
    },
    Loss {
        settle_rows: u32,
        refill: f64,
        settled: Option<Settled>,
        whole: Whole,
        refills: u32,
    },
    Highest(Option<f64>),
}

/// A change, and the minutes that it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Whole {
    change: f64,
    minutes: f64,
}

/// Rows that count, one after the other in one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// Where its change is counted from: the row before it, if that is close enough.
    from: (i64, Option<f64>),
    /// Its newest row but one, and its newest: time, value as it was read, factor.
    whole: Option<(i64, f64, f64)>,
    newest: (i64, f64, f64),
}

/// The newest row that counts behind the first ones of its stretch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Settled {
    number: u32,
    at_us: i64,
    value: f64,
}

impl Sums {
    pub(super) fn new(take: Take) -> Self {
        match take {
            Take::Mean => Self::Mean { count: 0.0, sum: 0.0 },
            Take::Highest => Self::Highest(None),
            Take::Scatter => Self::Scatter {
                count: 0,
                mean: 0.0,
                squares: 0.0,
            },
            Take::WholeRise => Self::Rise {
                whole: Whole::default(),
                fastest: None,
                stretch: None,
            },
            Take::FastestFall => Self::Fall { fastest: None },
            Take::Loss { settle_rows, refill } => Self::Loss {
                settle_rows,
                refill,
                settled: None,
                whole: Whole::default(),
                refills: 0,
            },
        }
    }

    /// Takes a row that counts: its channel as it was read, and times the factor by which a change of it counts.
    pub(super) fn add(&mut self, raw: f64, value: f64, factor: f64, moment: Moment) {
        match self {
            Self::Mean { count, sum } => {
                *count += 1.0;
                *sum += value;
            }
            Self::Highest(highest) => *highest = (*highest).into_iter().chain([value]).max_by(f64::total_cmp),
            Self::Scatter { count, mean, squares } => {
                *count = count.saturating_add(1);
                let before = value - *mean;
                *mean += before / f64::from(*count);
                *squares += before * (value - *mean);
            }
            Self::Rise {
                whole,
                fastest,
                stretch,
            } => {
                let rate = rate(raw, factor, APART_MIN.1, moment);
                *fastest = (*fastest).into_iter().chain(rate).max_by(f64::total_cmp);
                let newest = (moment.at_us, raw, factor);
                match stretch {
                    Some(stretch) if moment.into_stretch > 0 => {
                        stretch.whole = Some(stretch.newest);
                        stretch.newest = newest;
                    }
                    _ => {
                        whole.end(stretch.take());
                        let is_close = |us: i64| (APART_MIN.0..=APART_MIN.1).contains(&minutes(us, moment.at_us));
                        // Where the row before is missing, nobody knows how much of the time between belongs to the stretch.
                        let before = moment.before.filter(|(us, _)| is_close(*us));
                        *stretch = Some(Stretch {
                            from: before.unwrap_or((moment.at_us, Some(raw))),
                            whole: None,
                            newest,
                        });
                    }
                }
            }
            Self::Fall { fastest } => {
                let rate = rate(raw, factor, FAR_APART_MIN, moment).map(|rate| -rate);
                *fastest = (*fastest).into_iter().chain(rate).max_by(f64::total_cmp);
            }
            Self::Loss {
                settle_rows,
                refill,
                settled,
                whole,
                refills,
            } => {
                if moment.into_stretch < *settle_rows {
                    return;
                }
                let newest = Settled {
                    number: moment.number,
                    at_us: moment.at_us,
                    value,
                };
                let Some(before) = settled.replace(newest) else {
                    return;
                };
                if before.number.saturating_add(1) != moment.number || moment.into_stretch == *settle_rows {
                    return;
                }
                let (fall, apart) = (before.value - value, minutes(before.at_us, moment.at_us));
                if -fall > *refill {
                    *refills = refills.saturating_add(1);
                }
                if fall.abs() <= *refill && apart <= FAR_APART_MIN {
                    whole.change += fall;
                    whole.minutes += apart;
                }
            }
        }
    }

    /// A row came that does not count.
    pub(super) fn interrupt(&mut self) {
        if let Self::Rise { whole, stretch, .. } = self {
            whole.end(stretch.take());
        }
    }

    /// What it comes to; none of too few rows.
    pub(super) fn told(&self) -> Option<f64> {
        match self {
            Self::Mean { count, sum } => (*count > 0.0).then(|| sum / count),
            Self::Highest(highest) => *highest,
            Self::Scatter { count, mean, squares } => {
                let is_told = *count >= SCATTER_ROWS_MIN && *mean > 0.0;
                is_told.then(|| (squares / f64::from(*count)).sqrt() / mean)
            }
            Self::Rise {
                whole,
                fastest,
                stretch,
            } => {
                let mut whole = *whole;
                whole.end(stretch.clone());
                let rise = (whole.minutes > 0.0).then(|| whole.change / whole.minutes);
                rise.or(*fastest)
            }
            Self::Fall { fastest } => *fastest,
            Self::Loss { whole, refills, .. } => {
                // A sensor that scatters seems to refill all the time.
                (whole.minutes >= LOSS_MIN && f64::from(*refills) <= REFILLS_MAX * whole.minutes)
                    .then_some(whole.change / (whole.minutes + LOSS_MORE_MIN))
            }
        }
    }
}

impl Whole {
    /// Adds the change of a channel from the row before a stretch to the last of its whole minutes, and the minutes that it took.
    fn end(&mut self, stretch: Option<Stretch>) {
        let Some(Stretch {
            from: (from_us, Some(then)),
            whole: Some((until_us, now, factor)),
            ..
        }) = stretch
        else {
            return;
        };
        self.change += (now - then) * factor;
        self.minutes += minutes(from_us, until_us).max(0.0);
    }
}

/// Rise per minute from the row before, where that is close enough.
fn rate(raw: f64, factor: f64, apart_max: f64, moment: Moment) -> Option<f64> {
    let (before_us, Some(before)) = moment.before? else {
        return None;
    };
    let minutes = minutes(before_us, moment.at_us);
    let is_close = (APART_MIN.0..=apart_max).contains(&minutes);
    is_close.then(|| (raw - before) * factor / minutes)
}

fn minutes(before_us: i64, after_us: i64) -> f64 {
    SignedDuration::from_micros(after_us.saturating_sub(before_us)).as_secs_f64() / 60.0
}
