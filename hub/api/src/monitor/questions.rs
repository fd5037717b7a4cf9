//! What monitoring asks the other parts of the hub, apart from how the answers are shown.

use hub_core::accepting::Accepting;
use hub_core::contact::ways_out::PausedWay;
use hub_core::metric::Metric;
use std::fmt;
use std::sync::Arc;

/// How the API asks the other parts of the hub how they are. All are asked at every look and must answer at once.
#[derive(Clone)]
pub struct Monitor {
    /// What they count.
    pub metrics: Arc<dyn Fn() -> Vec<Metric> + Send + Sync>,
    /// What keeps the hub from taking work: part and reason, for an administrator. Empty: nothing.
    pub problems: Arc<dyn Fn() -> Vec<(&'static str, String)> + Send + Sync>,
    /// What an administrator has to know although the hub takes work, in the same form.
    pub notices: Arc<dyn Fn() -> Vec<(&'static str, String)> + Send + Sync>,
    /// Ways by which no call goes out now, for the pages of those whom it concerns.
    pub paused: Arc<dyn Fn() -> Vec<PausedWay> + Send + Sync>,
    /// How all listeners of the hub fare, this one's among them: told with the notices.
    pub accepting: Arc<Accepting>,
}

/// Nothing is counted and nothing is wrong.
impl Default for Monitor {
    fn default() -> Self {
        Self {
            metrics: Arc::new(Vec::new),
            problems: Arc::new(Vec::new),
            notices: Arc::new(Vec::new),
            paused: Arc::new(Vec::new),
            accepting: Arc::default(),
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monitor")
    }
}
