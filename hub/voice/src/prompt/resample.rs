//! From a voice's sampling rate to the telephone's 8,000 a second: windowed-sinc interpolation with its low-pass below
//! the new half rate, so that hiss above 4 kHz does not fold into the speech.

use std::f64::consts::PI;

/// The telephone's sampling rate, in samples a second.
pub const RATE: u32 = 8_000;
/// Zero crossings of the sinc on each side: a stop band below -60 dB with a Blackman window.
const CROSSINGS: f64 = 24.0;
/// Share of the half rate that passes; the rest is the filter's slope.
const PASS: f64 = 0.92;

/// `samples` at `rate` samples a second (8,000 or more) as 8,000 a second.
pub fn to_telephone(samples: &[i16], rate: u32) -> Vec<i16> {
    if rate == RATE || samples.is_empty() {
        return samples.to_vec();
    }
    let filter = Filter::new(rate);
    let len = samples.len() as u64 * u64::from(filter.down) / u64::from(filter.up);
    (0..len).map(|n| filter.sample(samples, n)).collect()
}

/// The filter's weights for each of the places where an output sample can fall between two input samples.
struct Filter {
    /// Input samples for each `down` output samples, both without common factor.
    up: u32,
    down: u32,
    /// Input samples looked at on each side.
    reach: usize,
    phases: Vec<Vec<f32>>,
}

impl Filter {
    fn new(rate: u32) -> Self {
        let common = gcd(rate, RATE);
        let (up, down) = (rate / common, RATE / common);
        // Cut-off in cycles per input sample.
        let cutoff = 0.5 * PASS * f64::from(RATE) / f64::from(rate);
        let reach = (CROSSINGS / (2.0 * cutoff)).ceil();
        let weights = |phase: u32| -> Vec<f32> {
            let between = f64::from(phase) / f64::from(down);
            let offsets = (0..=2 * reach as u32).map(|n| f64::from(n) - reach - between);
            offsets
                .map(|x| (sinc(2.0 * cutoff * x) * blackman(x / (reach + 1.0))) as f32)
                .collect()
        };
        Self {
            up,
            down,
            reach: reach as usize,
            phases: (0..down).map(weights).collect(),
        }
    }

    fn sample(&self, samples: &[i16], n: u64) -> i16 {
        let at = n * u64::from(self.up);
        let (whole, phase) = (
            (at / u64::from(self.down)) as usize,
            (at % u64::from(self.down)) as usize,
        );
        let (mut sum, mut weight) = (0.0, 0.0);
        for (offset, w) in self.phases[phase].iter().enumerate() {
            let Some(sample) = (whole + offset).checked_sub(self.reach).and_then(|at| samples.get(at)) else {
                continue;
            };
            sum += w * f32::from(*sample);
            weight += w;
        }
        // Dividing by the weights' sum keeps the level at both ends, where the window is cut.
        (sum / weight).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Blackman window over -1 to 1.
fn blackman(x: f64) -> f64 {
    0.42 + 0.5 * (PI * x).cos() + 0.08 * (2.0 * PI * x).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: u32) -> Vec<i16> {
        (0..rate)
            .map(|n| ((2.0 * PI * hertz * f64::from(n) / f64::from(rate)).sin() * 16_000.0) as i16)
            .collect()
    }

    fn level(samples: &[i16]) -> f64 {
        let middle = &samples[500..samples.len() - 500];
        (middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64).sqrt()
    }

    #[test]
    fn speech_stays_and_what_would_fold_is_gone() {
        let loud = 16_000.0 / 2f64.sqrt();
        for rate in [22_050, 16_000, 44_100] {
            let out = to_telephone(&tone(1_000.0, rate), rate);
            assert!((7_990..=8_000).contains(&out.len()));
            assert!(
                (level(&out) / loud - 1.0).abs() < 0.02,
                "1 kHz keeps its level at {rate}"
            );
            assert!((level(&to_telephone(&tone(3_000.0, rate), rate)) / loud - 1.0).abs() < 0.05);
            assert!(
                level(&to_telephone(&tone(5_000.0, rate), rate)) / loud < 0.003,
                "5 kHz is 50 dB down at {rate}"
            );
        }
    }

    #[test]
    fn the_tone_is_still_the_same_tone() {
        let out = to_telephone(&tone(440.0, 22_050), 22_050);
        let crossings = out.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
        assert!((438..=441).contains(&crossings));
    }
}
