//! The keys of one call over all ways they come by. Some far sides send a press twice: as an event beside the audio and
//! inside SIP. Pure: time is an argument.

use std::time::{Duration, Instant};

/// After so long without a key the other way is believed too: longer than both reports of one press are apart.
const SAME_PRESS: Duration = Duration::from_secs(5);

/// How a key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As a telephone event beside the audio.
    Media,
    /// In a SIP INFO.
    Signalling,
}

/// Which way the keys of a call come.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    last: Option<(Way, Instant)>,
}

impl Keys {
    /// A key came; true if it counts, false if it is the second report of a press.
    pub fn handle(&mut self, way: Way, now: Instant) -> bool {
        let second = self
            .last
            .is_some_and(|(before, at)| before != way && now.saturating_duration_since(at) < SAME_PRESS);
        if !second {
            self.last = Some((way, now));
        }
        !second
    }
}

#[cfg(test)]
mod tests {
    use super::Way::{Media, Signalling};
    use super::*;

    /// After so many milliseconds, by which way.
    type Report = (u64, Way);

    #[test]
    fn one_press_counts_once_over_both_ways() {
        let table: [(&str, &[Report], &str); 5] = [
            ("events only", &[(0, Media), (300, Media), (600, Media)], "yyy"),
            ("INFO only", &[(0, Signalling), (300, Signalling)], "yy"),
            (
                "both, the events first",
                &[(0, Media), (150, Signalling), (400, Media), (550, Signalling)],
                "ynyn",
            ),
            (
                "both, in turn first",
                &[(0, Media), (50, Signalling), (3_000, Signalling), (3_050, Media)],
                "ynny",
            ),
            (
                "a far side that changes its way",
                &[(0, Media), (5_000, Signalling), (5_300, Signalling)],
                "yyy",
            ),
        ];
        for (case, presses, expected) in table {
            let (start, mut keys) = (Instant::now(), Keys::default());
            let counts: String = presses
                .iter()
                .map(|(ms, way)| {
                    let counts = keys.handle(*way, start + Duration::from_millis(*ms));
                    if counts { 'y' } else { 'n' }
                })
                .collect();
            assert_eq!(counts, expected, "{case}");
        }
    }
}
