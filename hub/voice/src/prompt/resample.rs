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
    phases: Vec<Phase>,
}

struct Phase {
    weights: Vec<f32>,
    sum: f32,
}

impl Filter {
    fn new(rate: u32) -> Self {
        let common = gcd(rate, RATE);
        let (up, down) = (rate / common, RATE / common);
        // Cut-off in cycles per input sample.
        let cutoff = 0.5 * PASS * f64::from(RATE) / f64::from(rate);
        let reach = (CROSSINGS / (2.0 * cutoff)).ceil();
        let phase = |phase: u32| -> Phase {
            let between = f64::from(phase) / f64::from(down);
            let offsets = (0..=2 * reach as u32).map(|n| f64::from(n) - reach - between);
            let weights: Vec<f32> = offsets
                .map(|x| (sinc(2.0 * cutoff * x) * blackman(x / (reach + 1.0))) as f32)
                .collect();
            Phase {
                sum: weights.iter().sum(),
                weights,
            }
        };
        Self {
            up,
            down,
            reach: reach as usize,
            phases: (0..down).map(phase).collect(),
        }
    }

    fn sample(&self, samples: &[i16], n: u64) -> i16 {
        let at = n * u64::from(self.up);
        let (whole, phase) = (
            (at / u64::from(self.down)) as usize,
            (at % u64::from(self.down)) as usize,
        );
        let phase = &self.phases[phase];
        let around = whole
            .checked_sub(self.reach)
            .and_then(|first| samples.get(first..=whole + self.reach));
        let (sum, weight) = match around {
            Some(around) => (dot(&phase.weights, around), phase.sum),
            // At both ends the window is cut: the weights' own sum keeps the level there.
            None => {
                let first = self.reach.saturating_sub(whole);
                let weights = &phase.weights[first..];
                let around = &samples[(whole + first - self.reach).min(samples.len())..];
                let weights = &weights[..weights.len().min(around.len())];
                (dot(weights, around), weights.iter().sum())
            }
        };
        (sum / weight).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
    }
}

fn dot(weights: &[f32], samples: &[i16]) -> f32 {
    // Eight sums, so that they can be made side by side.
    let (weights, weights_left) = weights.as_chunks::<8>();
    let (pieces, samples_left) = samples[..weights.len() * 8 + weights_left.len()].as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (weights, samples) in weights.iter().zip(pieces) {
        for ((sum, weight), sample) in sums.iter_mut().zip(weights).zip(samples) {
            *sum += weight * f32::from(*sample);
        }
    }
    let left = weights_left.iter().zip(samples_left).map(|(w, s)| w * f32::from(*s));
    sums.iter().sum::<f32>() + left.sum::<f32>()
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

    /// Sample by sample, by the definition.
    #[test]
    fn every_sample_is_the_weighted_mean_of_those_around_it() {
        let mut state = 1u32;
        let noise = |n: usize| -> Vec<i16> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16 / 2
            };
            (0..n).map(|_| next()).collect()
        };
        for samples in [1, 7, 60, 144, 145, 146, 2_000].map(noise) {
            let filter = Filter::new(22_050);
            for (n, out) in to_telephone(&samples, 22_050).into_iter().enumerate() {
                let at = n * filter.up as usize;
                let (whole, phase) = (at / filter.down as usize, at % filter.down as usize);
                let (mut sum, mut weight) = (0.0, 0.0);
                for (offset, w) in filter.phases[phase].weights.iter().enumerate() {
                    if let Some(sample) = (whole + offset)
                        .checked_sub(filter.reach)
                        .and_then(|at| samples.get(at))
                    {
                        sum += f64::from(*w) * f64::from(*sample);
                        weight += f64::from(*w);
                    }
                }
                let expected = (sum / weight).clamp(-32_768.0, 32_767.0);
                assert!(
                    (f64::from(out) - expected).abs() <= 1.0,
                    "{n} of {}: {out}, {expected}",
                    samples.len()
                );
            }
        }
    }

    #[test]
    fn the_tone_is_still_the_same_tone() {
        let out = to_telephone(&tone(440.0, 22_050), 22_050);
        let crossings = out.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
        assert!((438..=441).contains(&crossings));
    }
}
