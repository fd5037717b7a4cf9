//! What stands between a physical value and a reported one: offset, gain, drift, coarse steps, stuck and noisy sensors.

use super::draw::{Stream, event_days, generator};
use super::effect::{Effect, Effects};
use super::episode::Episode;
use super::figure::{ASSUMED, Figure};
use crate::noise::normal;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const NTC_OFFSET: Figure = Figure::new(Effect::SensorOffset, "temperature, K", -1.0, 1.0, ASSUMED);
const CURRENT_GAIN: Figure = Figure::new(Effect::SensorOffset, "current and power, share", -0.02, 0.02, ASSUMED);
const VIBRATION_GAIN: Figure = Figure::new(Effect::SensorOffset, "vibration, share", -0.05, 0.05, ASSUMED);
const NTC_DRIFT: Figure = Figure::new(Effect::SensorDrift, "temperature, K a year", 0.0, 0.3, ASSUMED);
const CURRENT_DRIFT: Figure = Figure::new(
    Effect::SensorDrift,
    "current and power, share a year",
    -0.03,
    0.03,
    ASSUMED,
);
const VIBRATION_DRIFT: Figure = Figure::new(Effect::SensorDrift, "vibration, share a year", -0.15, 0.15, ASSUMED);
const STUCK: Figure = Figure::new(Effect::StuckSensor, "units a year, share", 0.005, 0.005, ASSUMED);
const NOISY: Figure = Figure::new(Effect::NoisySensor, "units a year, share", 0.005, 0.005, ASSUMED);
const BROKEN_DAYS: Figure = Figure::new(
    Effect::StuckSensor,
    "days that a stuck or noisy sensor lasts (logarithmic)",
    2.0,
    200.0,
    ASSUMED,
);
const NOISE: Figure = Figure::new(Effect::NoisySensor, "scatter, share of the value", 0.1, 0.4, ASSUMED);
const STEP_C: Figure = Figure::new(Effect::Rounding, "temperature, K (one of the two)", 0.5, 1.0, ASSUMED);
const STEP_A: Figure = Figure::new(Effect::Rounding, "current, A", 0.05, 0.1, ASSUMED);
const STEP_SMALL_A: Figure = Figure::new(Effect::Rounding, "current of a small motor, A", 0.01, 0.02, ASSUMED);
const STEP_W: Figure = Figure::new(
    Effect::Rounding,
    "power above 500 W, W (one of the two)",
    5.0,
    50.0,
    ASSUMED,
);
const STEP_SMALL_W: Figure = Figure::new(
    Effect::Rounding,
    "power below 500 W, W (one of the two)",
    1.0,
    5.0,
    ASSUMED,
);
const STEP_MM: Figure = Figure::new(Effect::Rounding, "level, mm (one of the two)", 3.0, 5.0, ASSUMED);
const COARSE: Figure = Figure::new(Effect::Rounding, "share of units", 0.5, 0.5, ASSUMED);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[
    NTC_OFFSET,
    CURRENT_GAIN,
    VIBRATION_GAIN,
    NTC_DRIFT,
    CURRENT_DRIFT,
    VIBRATION_DRIFT,
    STUCK,
    NOISY,
    BROKEN_DAYS,
    NOISE,
    STEP_C,
    STEP_A,
    STEP_SMALL_A,
    STEP_W,
    STEP_SMALL_W,
    STEP_MM,
    COARSE,
];

/// What a channel measures, as far as its errors go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Counted or known, without an error.
    Exact,
    Temperature,
    Current,
    /// Current of a motor that takes less than an ampere.
    SmallCurrent,
    Vibration,
    Level,
    Power,
    /// Power of an appliance that takes less than 500 W most of the time.
    SmallPower,
}

/// One channel's way from value to reading.
#[derive(Debug, Clone)]
struct Sensor {
    offset: f64,
    gain: f64,
    offset_a_day: f64,
    gain_a_day: f64,
    /// Step of the converter; 0 if it is finer than the profile.
    step: f64,
    /// Steps of the converter that later firmware makes, if it does.
    coarser: f64,
}

/// A sensor that fails without anything else being wrong.
#[derive(Debug, Clone)]
struct Broken {
    channel: usize,
    from_day: f64,
    until_day: f64,
    /// Scatter as a share of the value; `None` if it is stuck.
    noise: Option<f64>,
    /// Value that a stuck one repeats.
    held: Option<f64>,
}

/// The sensors of a unit.
#[derive(Debug, Clone)]
pub(super) struct Sensors {
    all: Vec<Sensor>,
    broken: Vec<Broken>,
}

impl Sensors {
    /// Draws the sensors of a unit, and tells what they do.
    pub(super) fn draw(seed: u64, kinds: &[Kind], days: f64, effects: Effects) -> (Self, Vec<Episode>) {
        let mut streams = [Effect::SensorOffset, Effect::SensorDrift, Effect::Rounding]
            .map(|effect| (effects.has(effect), generator(seed, Stream::Effect(effect))));
        let [offset, drift, rounding] = &mut streams;
        // Half of the units round, all channels alike.
        rounding.0 &= COARSE.happens(&mut rounding.1);
        let sensor = |kind: &Kind| Sensor::draw(*kind, offset, drift, rounding);
        let mut sensors = Self {
            all: kinds.iter().map(sensor).collect(),
            broken: Vec::new(),
        };
        let constant = streams
            .iter()
            .zip([Effect::SensorOffset, Effect::SensorDrift, Effect::Rounding]);
        let mut episodes: Vec<_> = constant
            .filter(|((on, _), _)| *on)
            .map(|(_, effect)| Episode::lasting(effect, 0.0))
            .collect();
        for effect in [Effect::StuckSensor, Effect::NoisySensor] {
            if effects.has(effect) {
                sensors.break_some(seed, kinds, days, effect, &mut episodes);
            }
        }
        (sensors, episodes)
    }

    fn break_some(&mut self, seed: u64, kinds: &[Kind], days: f64, effect: Effect, episodes: &mut Vec<Episode>) {
        let rng = &mut generator(seed, Stream::Effect(effect));
        let measured: Vec<_> = (0..kinds.len()).filter(|place| kinds[*place] != Kind::Exact).collect();
        let is_noisy = effect == Effect::NoisySensor;
        let rate = if is_noisy { NOISY.low } else { STUCK.low };
        for from_day in event_days(rng, rate, days) {
            let until_day = from_day + BROKEN_DAYS.draw_log(rng);
            self.broken.push(Broken {
                channel: measured[rng.random_range(0..measured.len())],
                from_day,
                until_day,
                noise: is_noisy.then(|| NOISE.draw(rng)),
                held: None,
            });
            episodes.push(Episode::plain(effect, from_day, until_day));
        }
    }

    /// Turns values into readings. `coarse` if firmware rounds by now; `rng` is asked by a noisy sensor only.
    pub(super) fn read(&mut self, day: f64, coarse: bool, values: &mut [f64], rng: &mut ChaCha8Rng) {
        for broken in &mut self.broken {
            if broken.from_day <= day && day < broken.until_day {
                let value = &mut values[broken.channel];
                match broken.noise {
                    Some(noise) => *value += normal(rng, 0.0, noise * value.abs()),
                    None => *value = *broken.held.get_or_insert(*value),
                }
            }
        }
        for (sensor, value) in self.all.iter().zip(values) {
            *value = sensor.read(day, coarse, *value);
        }
    }
}

/// Whether an effect is on, and the stream that it draws from.
type Source = (bool, ChaCha8Rng);

impl Sensor {
    fn draw(kind: Kind, offset: &mut Source, drift: &mut Source, rounding: &mut Source) -> Self {
        const NOTHING: Figure = Figure::base("", "", 0.0, 0.0, ASSUMED);
        let (offsets, gains, steps) = match kind {
            Kind::Exact => ([NOTHING; 2], [NOTHING; 2], NOTHING),
            Kind::Temperature => ([NTC_OFFSET, NTC_DRIFT], [NOTHING; 2], STEP_C),
            Kind::Current => ([NOTHING; 2], [CURRENT_GAIN, CURRENT_DRIFT], STEP_A),
            Kind::SmallCurrent => ([NOTHING; 2], [CURRENT_GAIN, CURRENT_DRIFT], STEP_SMALL_A),
            Kind::Vibration => ([NOTHING; 2], [VIBRATION_GAIN, VIBRATION_DRIFT], NOTHING),
            Kind::Level => ([NOTHING; 2], [NOTHING; 2], STEP_MM),
            Kind::Power => ([NOTHING; 2], [CURRENT_GAIN, CURRENT_DRIFT], STEP_W),
            Kind::SmallPower => ([NOTHING; 2], [CURRENT_GAIN, CURRENT_DRIFT], STEP_SMALL_W),
        };
        let of = |(on, rng): &mut Source, figure: Figure| {
            let drawn = figure.draw(rng);
            if *on { drawn } else { 0.0 }
        };
        let fine = rounding.1.random_bool(0.5);
        let step = if fine { steps.low } else { steps.high };
        Self {
            offset: of(offset, offsets[0]),
            gain: 1.0 + of(offset, gains[0]),
            offset_a_day: of(drift, offsets[1]) / 365.25,
            gain_a_day: of(drift, gains[1]) / 365.25,
            step: if rounding.0 { step } else { 0.0 },
            coarser: steps.high,
        }
    }

    fn read(&self, day: f64, coarse: bool, value: f64) -> f64 {
        let measured = value * (self.gain + self.gain_a_day * day) + self.offset + self.offset_a_day * day;
        let step = if coarse { self.coarser } else { self.step };
        if step > 0.0 {
            (measured / step).round() * step
        } else {
            measured
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Effects, Kind, Sensors, Stream, generator};

    const KINDS: [Kind; 3] = [Kind::Exact, Kind::Temperature, Kind::Vibration];

    #[test]
    fn each_effect_does_what_it_says_and_no_more() {
        let rng = &mut generator(0, Stream::Noise);
        let read = |seed: u64, effect: Option<Effect>, day: f64, rng: &mut _| {
            let effects = effect.map_or(Effects::NONE, |effect| Effects::NONE.with(effect));
            let mut values = [7.0, 20.3, 4.0];
            let (mut sensors, _) = Sensors::draw(seed, &KINDS, 365.0, effects);
            sensors.read(day, false, &mut values, rng);
            values
        };
        let (mut rounded, mut moved) = (0, 0);
        for seed in 0..100 {
            assert_eq!(read(seed, None, 300.0, rng), [7.0, 20.3, 4.0]);
            let [exact, degrees, shaken] = read(seed, Some(Effect::SensorOffset), 300.0, rng);
            assert!(exact == 7.0 && (degrees - 20.3).abs() <= 1.0 && (shaken / 4.0 - 1.0).abs() <= 0.05);
            moved += u32::from((degrees - 20.3).abs() > 0.3);
            let [_, degrees, shaken] = read(seed, Some(Effect::SensorDrift), 365.25, rng);
            assert!((0.0..=0.3 + 1e-9).contains(&(degrees - 20.3)) && (shaken / 4.0 - 1.0).abs() <= 0.15 + 1e-9);
            let degrees = read(seed, Some(Effect::Rounding), 0.0, rng)[1];
            rounded += u32::from(degrees == 20.0 || degrees == 20.5);
        }
        assert!(moved > 50 && (35..65).contains(&rounded), "{moved} {rounded}");
    }

    #[test]
    fn a_stuck_sensor_repeats_itself() {
        let rng = &mut generator(0, Stream::Noise);
        let effects = Effects::NONE.with(Effect::StuckSensor);
        let units = (0..4_000).map(|seed| Sensors::draw(seed, &KINDS, 365.0, effects));
        let stuck: Vec<_> = units.filter(|(_, episodes)| !episodes.is_empty()).collect();
        assert!((8..40).contains(&stuck.len()), "{} in 4,000 unit-years", stuck.len());
        let (mut sensors, episodes) = stuck.into_iter().next().unwrap();
        let channel = sensors.broken[0].channel;
        let mut read = |value: f64| {
            let mut values = [0.0, value, value];
            sensors.read(episodes[0].from_day + 0.1, false, &mut values, rng);
            values[channel]
        };
        assert_eq!((read(3.0), read(9.0)), (3.0, 3.0));
    }
}
