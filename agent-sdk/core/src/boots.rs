//! Starts in a row that came to nothing. A device that crashes before it is of use starts again and again, and would do so
//! without end: after some of these the caller leaves out whatever may be at fault. Knows nothing of what that is.

/// A connection that lasts so long in milliseconds says that the device is of use.
pub const HEALTHY_MS: u64 = 60_000;

/// Starts in a row without a healthy connection, kept across them: one byte in flash, written twice a start at most.
///
/// Each start counts, also one by hand: a device that is switched on again and again where there is no network comes to the
/// limit too, and leaves it after the first connection that lasts.
///
/// ```
/// use agent_sdk_core::{Boots, HEALTHY_MS};
///
/// let kept = Some(&[5][..]); // As it lies in flash.
/// let mut boots = Boots::start(kept);
/// if let Some(_record) = boots.to_keep() {
///     // To flash, before anything that may crash; then:
///     boots.handle_kept();
/// }
/// assert!(boots.is_loop(5), "then `Agent::enter_safe_mode`");
/// // Whenever the agent is looked after, with `Session::online_for_ms`:
/// boots.handle_online(Some(HEALTHY_MS));
/// assert_eq!(boots.to_keep(), Some([0]), "the next start is a usual one");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boots {
    /// This start among them.
    count: u8,
    /// What the next start is to find.
    record: u8,
    is_to_keep: bool,
}

impl Boots {
    /// A start, after what the one before has kept; anything but one byte counts as nothing kept.
    pub fn start(kept: Option<&[u8]>) -> Self {
        let before = match kept {
            Some([before]) => *before,
            Some(_) | None => 0,
        };
        let count = before.saturating_add(1);
        Self {
            count,
            record: count,
            is_to_keep: true,
        }
    }

    /// What is to be kept now, in place of what was kept before.
    pub fn to_keep(&self) -> Option<[u8; 1]> {
        self.is_to_keep.then_some([self.record])
    }

    /// What [`Self::to_keep`] gave is kept.
    pub fn handle_kept(&mut self) {
        self.is_to_keep = false;
    }

    /// Whether more than `limit` starts in a row, with this one, have had no healthy connection. It stays so until the next
    /// start: what was left out may be at fault still.
    pub fn is_loop(&self, limit: u8) -> bool {
        self.count > limit
    }

    /// How the connection stands, as [`crate::Session::online_for_ms`] says.
    pub fn handle_online(&mut self, online_for_ms: Option<u64>) {
        if self.record > 0 && online_for_ms.is_some_and(|lasted| lasted >= HEALTHY_MS) {
            self.record = 0;
            self.is_to_keep = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Boots, HEALTHY_MS};

    /// A start, and what it leaves in flash if its first record is kept.
    fn started(flash: &mut Option<Vec<u8>>) -> Boots {
        let mut boots = Boots::start(flash.as_deref());
        keep(&mut boots, flash);
        boots
    }

    fn keep(boots: &mut Boots, flash: &mut Option<Vec<u8>>) {
        if let Some(record) = boots.to_keep() {
            *flash = Some(record.to_vec());
            boots.handle_kept();
        }
        assert_eq!(boots.to_keep(), None);
    }

    #[test]
    fn starts_count_until_a_connection_lasts() {
        let mut flash = None;
        for start in 1..=6 {
            let boots = started(&mut flash);
            assert_eq!(boots.is_loop(5), start > 5, "start {start}");
            assert_eq!(flash, Some(vec![start]));
        }
        let mut boots = started(&mut flash);
        for (online_for_ms, wanted) in [
            (None, 7),
            (Some(0), 7),
            (Some(HEALTHY_MS - 1), 7),
            (Some(HEALTHY_MS), 0),
        ] {
            boots.handle_online(online_for_ms);
            keep(&mut boots, &mut flash);
            assert_eq!(flash, Some(vec![wanted]), "{online_for_ms:?}");
        }
        boots.handle_online(Some(2 * HEALTHY_MS));
        assert_eq!(boots.to_keep(), None, "written once");
        assert!(boots.is_loop(5), "until the next start");
        assert!(!started(&mut flash).is_loop(5));
    }

    /// The power is cut before the first record is kept: such a start cannot be counted.
    #[test]
    fn a_cut_before_it_is_kept_loses_one_count_and_no_more() {
        let mut flash = None;
        for _ in 0..3 {
            started(&mut flash);
        }
        assert_eq!(Boots::start(flash.as_deref()).to_keep(), Some([4]));
        assert_eq!(Boots::start(flash.as_deref()).to_keep(), Some([4]));
    }

    #[test]
    fn the_count_ends_at_its_largest_and_what_is_no_count_is_none() {
        let mut flash = Some(vec![u8::MAX]);
        assert!(started(&mut flash).is_loop(u8::MAX - 1));
        assert_eq!(flash, Some(vec![u8::MAX]));
        for kept in [&[][..], &[9, 9]] {
            assert_eq!(Boots::start(Some(kept)).to_keep(), Some([1]));
        }
    }
}
