//! Who the device is to the hub, and the numbers that a session runs by.

/// The most topic filters that a session subscribes to.
pub const SUBSCRIPTIONS_MAX: usize = 8;

/// Who connects. Lent to the session whenever it writes, so that a secret may change between two connections and live
/// wherever the caller keeps it. It stays the same while a connection lasts.
///
/// Strings and payloads have at most 32,767 bytes each; what is longer is cut.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity<'a> {
    /// Names the session at the hub (§3.1.3.1). Without one the hub keeps no session between two connections.
    pub client_id: &'a str,
    /// How the device proves who it is. `None` where the transport does, by a client certificate.
    pub credentials: Option<Credentials<'a>>,
    /// What the hub publishes when the connection ends without a goodbye (§3.1.2.5).
    pub will: Option<Will<'a>>,
    /// Comes before the topics of the will, of all messages and of all subscriptions, as `d/wm-001/`. Kept apart so
    /// that no waiting message pays for it; it stays the same while messages wait.
    pub topic_prefix: &'a str,
    /// Topic filters without the prefix, subscribed to at QoS 1 on each connection. Those after the first
    /// [`SUBSCRIPTIONS_MAX`] are left out. One that begins with `/` is taken without that slash and gets no prefix.
    pub subscriptions: &'a [&'a str],
}

impl<'a> Identity<'a> {
    /// The filters that are subscribed to.
    pub(crate) fn filters(&self) -> &'a [&'a str] {
        let all = self.subscriptions;
        all.get(..SUBSCRIPTIONS_MAX).unwrap_or(all)
    }
}

/// User name and password (§3.1.3.4, §3.1.3.5). Not printable, because the password is a secret.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// `tenant/device`, or an access token.
    pub user_name: &'a str,
    /// The device's secret; `None` with an access token.
    pub password: Option<&'a [u8]>,
}

impl core::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Credentials")
    }
}

/// The last will: published at QoS 1 and retained.
#[derive(Debug, Clone, Copy)]
pub struct Will<'a> {
    /// Without the prefix.
    pub topic: &'a str,
    /// At most 32,767 bytes.
    pub payload: &'a [u8],
}

/// The numbers that a session runs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The longest silence that the hub allows is one and a half times this (§3.1.2.10). The session pings when nothing
    /// was sent, or nothing received, for three quarters of it. 0 switches both off.
    pub keep_alive_s: u16,
    /// From the transport being connected until the hub must have taken the CONNECT.
    pub connack_limit_ms: u32,
    /// From a ping until its answer; a link without one is dead.
    pub answer_limit_ms: u32,
    /// Messages at QoS 1 that may wait for their acknowledgement at one time; 0 counts as 1.
    pub window: u8,
    /// The longest delay after the first connection that failed; it doubles with each further one.
    pub backoff_base_ms: u32,
    /// The longest delay before a connection.
    pub backoff_cap_ms: u32,
}

impl Settings {
    /// A minute of keep-alive, 20 s for each answer, 8 messages in flight, and 1 s to 5 min between connections.
    pub const DEFAULT: Self = Self {
        keep_alive_s: 60,
        connack_limit_ms: 20_000,
        answer_limit_ms: 20_000,
        window: 8,
        backoff_base_ms: 1_000,
        backoff_cap_ms: 300_000,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}
