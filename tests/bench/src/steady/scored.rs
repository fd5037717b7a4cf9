//! How soon readings are scored, as the hub counts it itself: from the receipt of each, which is before its
//! acknowledgement, until its score was saved.

/// What the hub tells there, without the prefix of the names.
const NAME: &str = "forecall_scoring_seconds_bucket{le=\"";

/// Readings by the bound that they took at most, in seconds; the last one is infinite. Empty where the hub does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scored(Vec<(f64, f64)>);

impl Scored {
    /// From the text of /metrics: all since the start of the hub.
    pub fn read(metrics: &str) -> Self {
        let bucket = |line: &str| {
            let (bound, count) = line.strip_prefix(NAME)?.split_once("\"} ")?;
            // Rust reads `+Inf` too.
            Some((bound.parse().ok()?, count.trim().parse().ok()?))
        };
        Self(metrics.lines().filter_map(bucket).collect())
    }

    /// What came after `before`, which the same hub told.
    pub fn since(&self, before: &Self) -> Self {
        let before = |bound: f64| before.0.iter().find(|(other, _)| *other == bound);
        let of = |(bound, count): &(f64, f64)| (*bound, count - before(*bound).map_or(0.0, |(_, count)| *count));
        Self(self.0.iter().map(of).collect())
    }

    /// The bound that this share of the readings did not exceed, in milliseconds; NaN of none.
    pub fn bound_ms(&self, share: f64) -> f64 {
        let enough = self.all() * share;
        let bound = self.0.iter().find(|(_, count)| self.all() > 0.0 && *count >= enough);
        bound.map_or(f64::NAN, |(bound, _)| bound * 1e3)
    }

    /// The share of those that took so many milliseconds at most, which is one of the hub's bounds; NaN of none.
    pub fn share_within(&self, ms: f64) -> f64 {
        let within = self.0.iter().find(|(bound, _)| bound * 1e3 == ms);
        within.map_or(f64::NAN, |(_, count)| count / self.all())
    }

    fn all(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::Scored;

    fn told(counts: [u64; 3]) -> Scored {
        let [tenth, second, all] = counts;
        Scored::read(&format!(
            "# TYPE forecall_scoring_seconds histogram\nforecall_scoring_seconds_bucket{{le=\"0.1\"}} {tenth}\n\
             forecall_scoring_seconds_bucket{{le=\"1\"}} {second}\nforecall_scoring_seconds_bucket{{le=\"+Inf\"}} {all}\n\
             forecall_scoring_seconds_sum 9\nforecall_scoring_seconds_count {all}\n"
        ))
    }

    #[test]
    fn the_share_and_the_bound_are_those_of_what_came_between() {
        let scored = told([109, 120, 120]).since(&told([10, 20, 20]));
        assert_eq!((scored.share_within(100.0), scored.bound_ms(0.99)), (0.99, 100.0));
        assert_eq!(scored.bound_ms(0.991), 1_000.0);
        let slow = told([109, 120, 130]).since(&told([10, 20, 20]));
        assert!(slow.share_within(100.0) == 0.9 && slow.bound_ms(0.99).is_infinite());
    }

    #[test]
    fn what_the_hub_does_not_tell_is_no_number() {
        let none = Scored::read("forecall_scoring_lag_seconds 0\n");
        assert_eq!(none, Scored::default());
        for scored in [none, told([5, 5, 5]).since(&told([5, 5, 5]))] {
            assert!(scored.share_within(100.0).is_nan() && scored.bound_ms(0.99).is_nan());
        }
    }
}
