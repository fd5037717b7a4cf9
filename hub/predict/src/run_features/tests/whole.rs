//! The same figures by all rows of a run at once, as they were taken first: what the sums have to come to.

use super::*;

/// Rows of which a scatter is told at the least.
const SCATTER_ROWS_MIN: usize = 8;
/// Minutes between two rows whose difference is a rate: of rows that are farther apart nobody knows how much of the time was of the phase.
const APART_MIN: (f64, f64) = (0.5, 1.5);
/// Refills for each minute in which nothing is let in, at the most.
const REFILLS_MAX: f64 = 0.2;
/// Minutes between two rows at the most where that does not matter: of a loss, and of a fall of which the fastest is told.
const FAR_APART_MIN: f64 = 3.2;
/// Minutes of rows from which a loss is told at the least, and minutes without a loss that are added: few rows say little.
const LOSS_MIN: f64 = 5.0;
const LOSS_MORE_MIN: f64 = 10.0;

/// A row that counts.
struct Counted {
    /// Its place among the rows.
    place: usize,
    value: f64,
    /// What a change of the channel is multiplied with.
    factor: f64,
    /// Rows of the same phase just before it.
    into_stretch: u32,
}

/// The figures of a run.
pub(super) fn read(reader: &RunReader, rows: &[Row]) -> Vec<Option<f64>> {
    let mut values: Vec<Option<f64>> = Vec::new();
    for (feature, places) in reader.features.iter().zip(&reader.places) {
        let value = match &feature.source {
            Source::Rows(from) => places.as_ref().and_then(|places| of_rows(reader, from, places, rows)),
            Source::Sum(of) => {
                let part = |(i, factor): &(usize, f64)| Some(values.get(*i).copied().flatten()? * factor);
                of.iter().map(part).sum()
            }
        };
        let value = match feature.logarithm {
            true => value.filter(|v| *v > 0.0).map(f64::ln),
            false => value,
        };
        values.push(value.filter(|v| v.is_finite()));
    }
    values
}

fn of_rows(reader: &RunReader, from: &FromRows, places: &Places, rows: &[Row]) -> Option<f64> {
    let value = |row: usize| at(rows, row, places.channel);
    let first = (0..rows.len()).find_map(value)?;
    if (0..rows.len()).filter_map(value).all(|one| one == first) {
        return None;
    }
    let counted = counted(reader, from, places, rows);
    let values = || counted.iter().map(|one| one.value);
    let fastest = |sign: f64, apart_max: f64| {
        let rates = counted.iter().filter_map(|one| {
            let before = one.place.checked_sub(1)?;
            let minutes = minutes_between(rows, before, one.place)?;
            let change = value(one.place)? - value(before)?;
            (APART_MIN.0..=apart_max)
                .contains(&minutes)
                .then_some(sign * change * one.factor / minutes)
        });
        rates.max_by(f64::total_cmp)
    };
    let whole = || {
        let (mut change, mut minutes) = (0.0, 0.0);
        for stretch in counted.chunk_by(|a, b| a.place + 1 == b.place && b.into_stretch > 0) {
            let [first, .., before_last, _] = stretch else {
                let [only, _] = stretch else { continue };
                add(rows, places.channel, only, only, &mut change, &mut minutes);
                continue;
            };
            add(rows, places.channel, first, before_last, &mut change, &mut minutes);
        }
        (minutes > 0.0).then_some(change / minutes)
    };
    match from.take {
        Take::Mean => mean(values()),
        Take::Highest => values().max_by(f64::total_cmp),
        Take::Scatter if counted.len() < SCATTER_ROWS_MIN => None,
        Take::Scatter => {
            let mean_value = mean(values())?;
            let square = mean(values().map(|v| (v - mean_value).powi(2)))?;
            (mean_value > 0.0).then(|| square.sqrt() / mean_value)
        }
        Take::WholeRise => whole().or_else(|| fastest(1.0, APART_MIN.1)),
        Take::FastestFall => fastest(-1.0, FAR_APART_MIN),
        Take::Loss { settle_rows, refill } => {
            let settled: Vec<&Counted> = counted.iter().filter(|one| one.into_stretch >= settle_rows).collect();
            let (mut lost, mut minutes, mut refills) = (0.0, 0.0, 0);
            for pair in settled.windows(2) {
                let [before, after] = pair else { continue };
                let follows = before.place + 1 == after.place && after.into_stretch > settle_rows;
                let fall = before.value - after.value;
                let apart = minutes_between(rows, before.place, after.place);
                refills += u32::from(follows && -fall > refill);
                if let Some(apart) = apart.filter(|apart| follows && fall.abs() <= refill && *apart <= FAR_APART_MIN) {
                    lost += fall;
                    minutes += apart;
                }
            }
            // A sensor that scatters seems to refill all the time.
            (minutes >= LOSS_MIN && f64::from(refills) <= REFILLS_MAX * minutes)
                .then_some(lost / (minutes + LOSS_MORE_MIN))
        }
    }
}

fn counted(reader: &RunReader, from: &FromRows, places: &Places, rows: &[Row]) -> Vec<Counted> {
    let mut counted = Vec::new();
    let (mut phase_before, mut into_stretch) = (None, 0);
    for place in 0..rows.len() {
        let phase = reader
            .phase
            .and_then(|phase| at(rows, place, phase))
            .map(|v| v.round() as i32);
        into_stretch = if phase == phase_before { into_stretch + 1 } else { 0 };
        phase_before = phase;
        let mut ranges = from.within.iter().zip(&places.within);
        let is_within = ranges.all(|((_, least, most), channel)| {
            at(rows, place, *channel).is_some_and(|v| (*least..=*most).contains(&v))
        });
        let factor = match (&from.per, places.per) {
            (Some(per), Some(channel)) => {
                let divisor = at(rows, place, channel).filter(|d| *d > 0.0);
                divisor.map(|d| (per.reference / d).powi(per.power))
            }
            _ => Some(1.0),
        };
        let is_of_phase = from.phases.is_empty() || phase.is_some_and(|phase| from.phases.contains(&phase));
        let counts = is_within && is_of_phase;
        if let Some((value, factor)) = at(rows, place, places.channel).zip(factor).filter(|_| counts) {
            counted.push(Counted {
                place,
                value: value * factor,
                factor,
                into_stretch,
            });
        }
    }
    counted
}

/// Adds the change of a channel from the row before a stretch to the last of its whole minutes, and the minutes that it took.
fn add(rows: &[Row], channel: usize, first: &Counted, last: &Counted, change: &mut f64, minutes: &mut f64) {
    let before = first.place.checked_sub(1).filter(|before| {
        let apart = minutes_between(rows, *before, first.place);
        apart.is_some_and(|apart| (APART_MIN.0..=APART_MIN.1).contains(&apart))
    });
    // Where the row before is missing, nobody knows how much of the time between belongs to the stretch.
    let from = before.unwrap_or(first.place);
    let values = at(rows, last.place, channel).zip(at(rows, from, channel));
    if let Some(((now, then), apart)) = values.zip(minutes_between(rows, from, last.place)) {
        *change += (now - then) * last.factor;
        *minutes += apart.max(0.0);
    }
}

fn at(rows: &[Row], row: usize, channel: usize) -> Option<f64> {
    rows.get(row)?.values.get(channel).copied().flatten()
}

fn minutes_between(rows: &[Row], before: usize, after: usize) -> Option<f64> {
    let (before, after) = rows.get(before).zip(rows.get(after))?;
    Some(after.at.duration_since(before.at).as_secs_f64() / 60.0)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (count > 0.0).then(|| sum / count)
}
