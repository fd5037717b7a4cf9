//! Identities. A type for each thing that is identified, so that a ticket's id is never taken for an appliance's.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Why a text is not a name of a tenant, device or site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// Empty, or longer than the bound.
    #[error("a name has 1 to {max} characters, this one has {got}")]
    Length {
        /// The bound in characters.
        max: usize,
        /// What was given.
        got: usize,
    },
    /// A character outside the listed ones.
    #[error("a name may hold only ASCII letters, digits, '-', '_' and '.', not {0:?}")]
    Character(char),
}

/// Checks that `text` is a name usable as one MQTT topic level, one file name and one URL segment.
fn check_slug(text: &str, max: usize) -> Result<(), SlugError> {
    if text.is_empty() || text.len() > max {
        return Err(SlugError::Length {
            max,
            got: text.chars().count(),
        });
    }
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c)))
    {
        Some(bad) => Err(SlugError::Character(bad)),
        None => Ok(()),
    }
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);
        impl $name {
            /// The longest name, in bytes.
            pub const LEN_MAX: usize = $max;
            /// Checks `text` and takes it as a name.
            pub fn new(text: impl Into<String>) -> Result<Self, SlugError> {
                let text = text.into();
                check_slug(&text, Self::LEN_MAX)?;
                Ok(Self(text))
            }
            /// The name as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl TryFrom<String> for $name {
            type Error = SlugError;
            fn try_from(text: String) -> Result<Self, SlugError> { Self::new(text) }
        }
        impl FromStr for $name {
            type Err = SlugError;
            fn from_str(text: &str) -> Result<Self, SlugError> { Self::new(text) }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String { name.0 }
        }
    };
}

slug!(
    /// A tenant: one appliance maker or contact centre. Comes from a credential, never from a topic or a URL.
    TenantId, 32
);
slug!(
    /// A device within its tenant: usually the serial number.
    DeviceId, 64
);

slug!(
    /// A key group, an integrator, a claim credential or a certificate authority within its tenant.
    CredentialName, 64
);

/// An appliance in the store. One number for (tenant, device), kept permanently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApplianceId(pub i64);

impl fmt::Display for ApplianceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);
        impl $name {
            /// A new id, ordered by time (UUID version 7, RFC 9562 §5.7). `random` is 10 random bytes.
            pub fn new(now: jiff::Timestamp, random: [u8; 10]) -> Self {
                let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> { Uuid::from_str(text).map(Self) }
        }
    };
}

uuid_id!(
    /// A finding.
    FindingId
);
uuid_id!(
    /// A service ticket. People use its number.
    TicketId
);
uuid_id!(
    /// One attempt to reach an owner.
    AttemptId
);
uuid_id!(
    /// A visit of a technician.
    AppointmentId
);
uuid_id!(
    /// A household: who has appliances.
    HouseholdId
);
uuid_id!(
    /// A person of a household.
    PersonId
);
uuid_id!(
    /// A person who logs in.
    AccountId
);
uuid_id!(
    /// One thing followed from the reading to the call, in logs and on every row it caused.
    TraceId
);

/// The bits of a UUID's lower half that are not its variant (RFC 9562 §4.1).
const COUNTED: u64 = u64::MAX >> 2;

impl TraceId {
    /// The next id of a caller that counts up from one that was drawn at random (RFC 9562 §6.2, method 2). Ids that count up take
    /// next to no room where the readings of an appliance lie beside each other.
    #[must_use]
    pub fn next(self) -> Self {
        Self(counted_up(self.0))
    }
}

impl AppointmentId {
    /// The next visit of a ticket, after the `last` one: they count up from the ticket's id, so that the newest is known without
    /// a clock.
    #[must_use]
    pub fn after(ticket: TicketId, last: Option<Self>) -> Self {
        Self(counted_up(last.map_or(ticket.0, |last| last.0)))
    }
}

fn counted_up(id: Uuid) -> Uuid {
    let (high, low) = id.as_u64_pair();
    let counted = low.wrapping_add(1) & COUNTED;
    Uuid::from_u64_pair(high, low & !COUNTED | counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_topic_level() {
        assert!(TenantId::new("acme-1").is_ok());
        assert_eq!(TenantId::new(""), Err(SlugError::Length { max: 32, got: 0 }));
        assert_eq!(DeviceId::new("a/b"), Err(SlugError::Character('/')));
        assert_eq!(DeviceId::new("家电"), Err(SlugError::Character('家')));
        assert!(DeviceId::new("x".repeat(65)).is_err());
        assert!(serde_json::from_str::<TenantId>("\"a#b\"").is_err());
    }

    #[test]
    fn traces_count_up_within_what_is_random() {
        let first = TraceId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
        assert_eq!(first.next().0.as_u128(), first.0.as_u128() + 1);
        let last = TraceId::new(jiff::Timestamp::UNIX_EPOCH, [255; 10]);
        assert_eq!(last.next().0.get_version_num(), 7);
        assert_eq!(last.next().0.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(last.next().0.as_u64_pair().0, last.0.as_u64_pair().0);
    }

    #[test]
    fn ids_order_by_time() {
        let at = |s| jiff::Timestamp::from_second(s).unwrap();
        assert!(TicketId::new(at(10), [255; 10]) < TicketId::new(at(11), [0; 10]));
    }
}
