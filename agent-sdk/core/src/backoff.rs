//! When to connect again: full jitter, so that a fleet which lost its hub does not come back in one moment. Knows
//! nothing of connections.

/// Attempts in a row, and the generator of the jitter.
pub(crate) struct Backoff {
    attempts: u32,
    state: u32,
}

/// After this many attempts the ceiling no longer doubles.
const DOUBLINGS_MAX: u32 = 20;

impl Backoff {
    pub(crate) const fn new(seed: u32) -> Self {
        Self {
            attempts: 0,
            state: seed,
        }
    }

    /// Adds entropy to the generator.
    pub(crate) fn mix(&mut self, entropy: u32) {
        self.state ^= entropy;
    }

    /// The hub serves: the next delay is a short one.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Milliseconds until the next attempt: evenly drawn from 0 to a ceiling, which is `base_ms` after the first
    /// failure, doubles with each further one, and is never above `cap_ms`.
    pub(crate) fn next_delay_ms(&mut self, base_ms: u32, cap_ms: u32) -> u32 {
        let doublings = self.attempts;
        if doublings < DOUBLINGS_MAX {
            self.attempts = doublings.wrapping_add(1);
        }
        let has_doubled = base_ms <= cap_ms.wrapping_shr(doublings);
        let ceiling = if has_doubled {
            base_ms.wrapping_shl(doublings)
        } else {
            cap_ms
        };
        let draw = u64::from(self.draw());
        // No more than 2^32 - 1 times 2^32.
        let spread = draw.wrapping_mul(u64::from(ceiling)).wrapping_add(draw);
        (spread >> 32) as u32
    }

    /// A counter behind the finaliser of MurmurHash3: any seed will do, and neighbouring seeds draw unlike numbers.
    fn draw(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9E37_79B9);
        let mut x = self.state;
        x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
        x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        x ^ (x >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn the_ceiling_doubles_to_the_cap_and_is_reached() {
        let mut most = [0; 12];
        let mut least = [u32::MAX; 12];
        for seed in 0..2_000 {
            let mut backoff = Backoff::new(seed);
            for (most, least) in most.iter_mut().zip(&mut least) {
                let delay_ms = backoff.next_delay_ms(1_000, 300_000);
                *most = delay_ms.max(*most);
                *least = delay_ms.min(*least);
            }
        }
        for (attempt, (most, least)) in most.into_iter().zip(least).enumerate() {
            let ceiling = (1_000_u32 << attempt).min(300_000);
            assert!(
                most <= ceiling && most > ceiling / 10 * 9,
                "attempt {attempt}: {most} of {ceiling}"
            );
            assert!(least < ceiling / 10, "attempt {attempt}: never below {least}");
        }
    }

    #[test]
    fn neighbouring_seeds_spread_over_the_whole_range() {
        let mut tenths = [0; 10];
        for seed in 0..1_000 {
            let delay_ms = Backoff::new(seed).next_delay_ms(999, 60_000);
            tenths[(delay_ms / 100) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (60..140).contains(count)), "{tenths:?}");
    }

    #[test]
    fn entropy_changes_what_is_drawn_and_a_reset_begins_again() {
        let delays = |entropy| {
            let mut backoff = Backoff::new(7);
            backoff.mix(entropy);
            (0..8).map(|_| backoff.next_delay_ms(1_000, 60_000)).collect::<Vec<_>>()
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
        let mut backoff = Backoff::new(7);
        for _ in 0..300 {
            assert!(backoff.next_delay_ms(1_000, 60_000) <= 60_000);
        }
        backoff.reset();
        assert!(backoff.next_delay_ms(1_000, 60_000) <= 1_000);
    }

    #[test]
    fn no_setting_overflows() {
        let mut backoff = Backoff::new(u32::MAX);
        for _ in 0..300 {
            backoff.next_delay_ms(u32::MAX, u32::MAX);
        }
        assert_eq!(backoff.next_delay_ms(0, 60_000), 0);
        assert_eq!(backoff.next_delay_ms(1_000, 0), 0);
    }
}
