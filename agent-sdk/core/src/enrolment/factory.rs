//! What a device has from the factory, and who it is to the hub on each of its ways.

use super::Step;
use super::kept::Kept;
use super::question;
use crate::hub;
use crate::identity::{Credentials, Identity};
use agent_sdk_wire::topic::MAX_LEVEL_BYTES;

/// What a device that is in subscribes to.
const ANSWERS: &[&str] = &[hub::BARE_ANSWERS];
/// What one subscribes to that comes by a claim.
const CLAIM_ANSWERS: &[&str] = &["r"];

/// What the maker has put into the device.
#[derive(Clone, Copy)]
pub struct Factory<'a> {
    /// `tenant/device`; the device's name has 1 to 64 letters, digits and `-_.:`.
    pub user_name: &'a str,
    /// What lets it in while it has no secret of its own.
    pub origin: Origin<'a>,
}

/// What a new device proves itself by. Not printable, because it is a secret.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// The token of a claim credential, the same in a whole production run.
    Claim {
        /// As the hub has printed it.
        token: &'a str,
    },
    /// The secret that the key of a group gives this device: HMAC-SHA256(key, device) in lower-case hexadecimal. The key
    /// itself has no place in a device.
    Group {
        /// As the factory has computed it.
        secret: &'a [u8],
    },
}

/// Whether nothing but a claim credential lets the device in yet.
pub(super) fn by_claim(factory: &Factory<'_>, kept: &Kept<'_>) -> bool {
    kept.current().is_none() && matches!(factory.origin, Origin::Claim { .. })
}

/// Who connects. Without a client identifier, since such a connection is to leave no session behind, and is to be given no
/// command of the agent's.
pub(super) fn identity<'a>(factory: &'a Factory<'_>, kept: &'a Kept<'_>, step: Option<Step>) -> Identity<'a> {
    let (mut user_name, mut topic_prefix, mut subscriptions) = (factory.user_name, "", ANSWERS);
    let mut password = kept.current();
    match (step, factory.origin) {
        (Some(Step::Ask), Origin::Claim { token }) if password.is_none() => {
            (user_name, topic_prefix, subscriptions) = (token, question::CLAIM_PREFIX, CLAIM_ANSWERS);
        }
        (Some(Step::Ask), Origin::Group { secret }) => password = Some(password.unwrap_or(secret)),
        // Being let in is all that is wanted.
        (Some(Step::Try), _) => (password, subscriptions) = (kept.next(), &[]),
        (Some(Step::Ask | Step::End) | None, _) => {}
    }
    Identity {
        credentials: Some(Credentials { user_name, password }),
        topic_prefix,
        subscriptions,
        ..Identity::default()
    }
}

/// The device's name in `tenant/device`.
pub(super) fn device_of(user_name: &str) -> Option<&[u8]> {
    let bytes = user_name.as_bytes();
    let slash = bytes.iter().position(|byte| *byte == b'/').filter(|at| *at > 0)?;
    let device = bytes.get(slash.wrapping_add(1)..)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    ((1..=MAX_LEVEL_BYTES).contains(&device.len()) && device.iter().all(is_name)).then_some(device)
}

#[cfg(test)]
mod tests {
    use super::device_of;

    #[test]
    fn a_device_is_what_stands_behind_its_tenant() {
        assert_eq!(device_of("acme/wm-001"), Some(&b"wm-001"[..]));
        assert_eq!(device_of("a/A.b_c:9"), Some(&b"A.b_c:9"[..]));
        let long = format!("a/{}", "x".repeat(64));
        assert_eq!(device_of(&long).map(<[u8]>::len), Some(64));
        for wrong in [
            "",
            "wm-001",
            "/wm-001",
            "acme/",
            "acme/a/b",
            "acme/a\"b",
            "acme/a b",
            &format!("{long}x"),
        ] {
            assert_eq!(device_of(wrong), None, "{wrong}");
        }
    }
}
