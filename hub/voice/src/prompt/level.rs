//! How loud speech is: at one level, whatever a voice or a recording came at, and without peaks that a network clips. Pure.

use super::resample::RATE;

/// The level that speech is brought to, in dBov: its power while somebody speaks, against that of full scale (ITU-T G.100.1).
pub const LEVEL_DBOV: f64 = -23.0;
/// The highest sample that is sent: 3 dB below full scale.
pub const PEAK: i16 = 23_197;
/// Samples up to here keep their proportion; what is beyond is bent, so that nothing passes `PEAK`.
const KNEE: f64 = 16_384.0;
/// What is quieter than this is no speech, and making it louder would make noise.
const QUIETEST_DBOV: f64 = -60.0;
const FULL_SCALE: f64 = 32_768.0;

/// Time constant of the envelope, in seconds (ITU-T P.56, as the two below).
const SMOOTHING_S: f64 = 0.03;
/// A pause up to so long belongs to speech: 200 ms.
const PAUSE: u32 = RATE / 5;
/// The threshold that tells speech from silence lies so far below the level of speech, in dB.
const MARGIN_DB: f64 = 15.9;
/// Thresholds that are tried, 6 dB apart, down from half of full scale.
const THRESHOLDS: usize = 15;

/// Speech at `LEVEL_DBOV`, no sample beyond `PEAK`. Silence stays as it is.
pub fn level(samples: &[i16]) -> Vec<i16> {
    let Some(active) = active_level_dbov(samples).filter(|level| *level >= QUIETEST_DBOV) else {
        return samples.to_vec();
    };
    let gain = 10f64.powf((LEVEL_DBOV - active) / 20.0);
    let louder = |sample: &i16| bend(f64::from(*sample) * gain).round() as i16;
    samples.iter().map(louder).collect()
}

fn bend(value: f64) -> f64 {
    let (over, room) = (value.abs() - KNEE, f64::from(PEAK) - KNEE);
    if over <= 0.0 {
        value
    } else {
        value.signum() * (KNEE + room * (over / room).tanh())
    }
}

/// The level of speech at 8,000 samples a second, in dBov, pauses left out, as ITU-T P.56 measures it (method B); none for
/// silence.
pub fn active_level_dbov(samples: &[i16]) -> Option<f64> {
    let keep = (-1.0 / (f64::from(RATE) * SMOOTHING_S)).exp();
    let mut thresholds: [Threshold; THRESHOLDS] = std::array::from_fn(Threshold::new);
    let (mut once, mut envelope, mut power) = (0.0, 0.0, 0.0);
    for sample in samples {
        let value = f64::from(*sample) / FULL_SCALE;
        power += value * value;
        once = keep * once + (1.0 - keep) * value.abs();
        envelope = keep * envelope + (1.0 - keep) * once;
        for threshold in &mut thresholds {
            threshold.handle(envelope);
        }
    }
    let mut last: Option<(f64, f64)> = None;
    for threshold in thresholds.iter().filter(|threshold| threshold.active > 0) {
        let level = 10.0 * (power / f64::from(threshold.active)).log10();
        let margin = level - 20.0 * threshold.at.log10();
        if margin <= MARGIN_DB {
            // Between two thresholds the level lies as the margin does.
            let between = last.map(|(lower, wider)| lower + (level - lower) * (wider - MARGIN_DB) / (wider - margin));
            return Some(between.unwrap_or(level));
        }
        last = Some((level, margin));
    }
    last.map(|(level, _)| level)
}

/// One threshold and for how many samples it holds that somebody speaks.
struct Threshold {
    at: f64,
    active: u32,
    /// Samples since the envelope was above it.
    below: u32,
}

impl Threshold {
    fn new(step: usize) -> Self {
        Self {
            at: 0.5f64.powi(i32::try_from(THRESHOLDS - step).unwrap_or(1)),
            active: 0,
            below: PAUSE,
        }
    }

    fn handle(&mut self, envelope: f64) {
        if envelope >= self.at {
            self.below = 0;
        }
        if self.below < PAUSE {
            self.below += 1;
            self.active = self.active.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f64, samples: u32) -> Vec<i16> {
        (0..samples)
            .map(|n| ((f64::from(n) * 440.0 * std::f64::consts::TAU / f64::from(RATE)).sin() * amplitude) as i16)
            .collect()
    }

    fn dbov(samples: &[i16]) -> f64 {
        active_level_dbov(samples).unwrap()
    }

    #[test]
    fn a_tone_has_the_level_of_its_power() {
        // A tone at full scale is 3 dB below the square wave that 0 dBov is.
        for (amplitude, level) in [(32_767.0, -3.01), (10_000.0, -13.32), (1_000.0, -33.32), (150.0, -49.8)] {
            let measured = dbov(&tone(amplitude, 16_000));
            assert!((measured - level).abs() < 0.3, "{amplitude}: {measured}");
        }
    }

    #[test]
    fn pauses_and_silence_do_not_count() {
        let speech = tone(3_000.0, 16_000);
        let with_pause = [&speech[..], &[0; 40_000][..], &speech[..], &[0; 40_000][..]].concat();
        let (without, with) = (dbov(&speech), dbov(&with_pause));
        assert!((without - with).abs() < 0.7, "{without}, {with}");
        assert_eq!(active_level_dbov(&[0; 8_000]), None);
        assert_eq!(active_level_dbov(&[]), None);
    }

    #[test]
    fn quiet_and_loud_come_out_alike() {
        for amplitude in [150.0, 900.0, 3_000.0, 12_000.0, 32_767.0] {
            let made = level(&tone(amplitude, 16_000));
            assert_eq!(made.len(), 16_000);
            let measured = dbov(&made);
            assert!((measured - LEVEL_DBOV).abs() < 0.5, "{amplitude}: {measured}");
        }
    }

    #[test]
    fn no_peak_passes_the_highest_sample() {
        let mut clicks = tone(3_000.0, 16_000);
        for sample in clicks.iter_mut().step_by(2_000) {
            *sample = i16::MIN;
        }
        let made = level(&clicks);
        assert!(made.iter().all(|sample| sample.unsigned_abs() <= PEAK.unsigned_abs()));
        assert!(
            made.iter().any(|sample| sample.unsigned_abs() > 20_000),
            "bent, not cut out"
        );
        let measured = dbov(&made);
        assert!((measured - LEVEL_DBOV).abs() < 2.0, "{measured}");
    }

    #[test]
    fn silence_and_the_hiss_of_a_line_are_left_as_they_are() {
        let hiss: Vec<i16> = (0..8_000).map(|n| if n % 2 == 0 { 3 } else { -3 }).collect();
        for samples in [vec![], vec![0; 8_000], hiss] {
            assert_eq!(level(&samples), samples);
        }
    }
}
