//! Notices a far side that has died: nothing comes from it though something should. Pure: instants go in.

use std::time::{Duration, Instant};

/// So long between two packets is no network's: the far side sends nothing while nobody speaks.
const PAUSE: Duration = Duration::from_millis(400);
/// One that sends nothing in pauses is waited for so many times as long as another, and so is one whose audio comes from
/// elsewhere: the owner hears us all the same.
const PATIENCE: u32 = 3;

/// Watches the far side's signs of life.
#[derive(Debug)]
pub struct Watchdog {
    /// The longest silence of a far side that always sends; none watches nobody.
    limit: Option<Duration>,
    /// The last sign of life, or the moment from which one is due; none while the far side need not send.
    life: Option<Instant>,
    /// The last packet of media.
    heard: Option<Instant>,
    /// Audio came from an address that was not announced.
    strayed: bool,
    /// Packets of such audio in the whole call, while the far side was to send.
    strays: u32,
    /// Something that we say was sent to its end.
    said: bool,
    pauses: bool,
    told: bool,
}

impl Watchdog {
    /// Watches from `connect` on.
    pub fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            life: None,
            heard: None,
            strayed: false,
            strays: 0,
            said: false,
            pauses: false,
            told: false,
        }
    }

    /// What is agreed from now on: the far side is `silent` (it holds, or says that it sends nothing), or it sends.
    pub fn connect(&mut self, silent: bool, now: Instant) {
        self.life = (!silent).then_some(now);
        self.heard = None;
        self.strayed = false;
    }

    /// A packet of the far side came. Comfort noise announces a pause (RFC 3389).
    pub fn handle_media(&mut self, comfort_noise: bool, now: Instant) {
        let paused = |heard| now.saturating_duration_since(heard) >= PAUSE;
        self.pauses |= comfort_noise || self.heard.is_some_and(paused);
        self.heard = Some(now);
        self.handle_life(now);
    }

    /// Audio came from an address that was not announced. It is no sign of life: anybody can send it.
    pub fn handle_stray(&mut self) {
        self.strayed = true;
        if self.life.is_some() {
            self.strays = self.strays.saturating_add(1);
        }
    }

    /// Something that we say was sent to its end.
    pub fn handle_said(&mut self) {
        self.said = true;
    }

    /// Since the last agreement audio came from addresses that were not announced, and from no other.
    pub fn is_elsewhere(&self) -> bool {
        self.strayed && self.heard.is_none()
    }

    /// Packets of audio that came in the whole call from addresses that were not announced, while the far side was to send.
    pub fn strays(&self) -> u32 {
        self.strays
    }

    /// The far side lives, whether it speaks or not.
    pub fn handle_life(&mut self, now: Instant) {
        if let Some(life) = &mut self.life {
            *life = now;
        }
    }

    /// True once: when the far side has been silent for too long. One whose audio comes from elsewhere is not before it could
    /// hear something of ours to its end.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let (Some(limit), Some(life), false) = (self.limit, self.life, self.told) else {
            return false;
        };
        let elsewhere = self.is_elsewhere();
        if elsewhere && !self.said {
            return false;
        }
        let limit = if self.pauses || elsewhere {
            limit * PATIENCE
        } else {
            limit
        };
        self.told = now.saturating_duration_since(life) >= limit;
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[derive(Clone, Copy)]
    enum Sign {
        Sound,
        Noise,
        Report,
        Stray,
        Said,
        Hold,
        Resume,
    }
    use Sign::{Hold, Noise, Report, Resume, Said, Sound, Stray};

    /// What happens, at which millisecond.
    type Script = Vec<(u64, Sign)>;

    /// When the far side is taken for dead, in milliseconds from the answer; within five minutes.
    fn death(limit: Option<Duration>, script: &[(u64, Sign)]) -> Option<u64> {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(limit);
        watchdog.connect(false, start);
        let mut script = script.iter().peekable();
        let mut deaths = Vec::new();
        for ms in (0..300_000).step_by(20) {
            let now = start + Duration::from_millis(ms);
            while let Some((_, sign)) = script.next_if(|(at, _)| *at <= ms) {
                match sign {
                    Sound => watchdog.handle_media(false, now),
                    Noise => watchdog.handle_media(true, now),
                    Report => watchdog.handle_life(now),
                    Stray => watchdog.handle_stray(),
                    Said => watchdog.handle_said(),
                    Hold => watchdog.connect(true, now),
                    Resume => watchdog.connect(false, now),
                }
            }
            if watchdog.handle_timeout(now) {
                deaths.push(ms);
            }
        }
        assert!(deaths.len() <= 1, "told once: {deaths:?}");
        deaths.first().copied()
    }

    #[test]
    fn a_far_side_dies_when_nothing_comes_though_something_should() {
        let talk = |from: u64, until: u64| (from / 20..until / 20).map(|n| (n * 20, Sound));
        let reports = (1..60).map(|n| (n * 5_000, Report));
        let table: [(&str, Script, Option<u64>); 13] = [
            ("nothing ever comes", vec![], Some(20_000)),
            ("it falls silent", talk(0, 3_000).collect(), Some(22_980)),
            ("it begins late", vec![(15_000, Sound)], Some(35_000)),
            ("it lives on", talk(0, 300_000).collect(), None),
            (
                "comfort noise, then nothing",
                vec![(0, Sound), (20, Noise)],
                Some(60_020),
            ),
            ("pauses without noise", vec![(0, Sound), (5_000, Sound)], Some(65_000)),
            ("only reports", reports.collect(), None),
            (
                "audio from elsewhere only",
                vec![(0, Stray), (45_000, Said)],
                Some(60_000),
            ),
            (
                "the same, and what we say takes longer",
                vec![(0, Stray), (75_000, Said)],
                Some(75_000),
            ),
            ("the same, and nothing is said to its end", vec![(0, Stray)], None),
            (
                "audio from elsewhere beside its own",
                vec![(0, Stray), (20, Sound), (40, Stray)],
                Some(20_020),
            ),
            (
                "on hold for a minute, then dead",
                talk(0, 3_000).chain([(3_000, Hold), (63_000, Resume)]).collect(),
                Some(83_000),
            ),
            ("on hold for good", vec![(0, Sound), (1_000, Hold)], None),
        ];
        for (case, script, expected) in table {
            assert_eq!(death(Some(LIMIT), &script), expected, "{case}");
        }
        assert_eq!(death(None, &[]), None, "nobody is watched without a limit");
    }
}
