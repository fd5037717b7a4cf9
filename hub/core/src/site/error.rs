//! What a site file declares that cannot be kept.

use super::TRUNK_ADDRESSES_MAX;
use crate::id::{DeviceId, TenantId};
use crate::phone_number::PhoneNumberError;

/// A reference in the site file that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// Two things of one kind have the same id.
    #[error("tenant {tenant}: {kind} {id} is declared twice")]
    Twice {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Kind of thing, in a word.
        kind: &'static str,
        /// Its id in the site file.
        id: String,
    },
    /// A device names a household, service point or profile that does not exist.
    #[error("tenant {tenant}: device {device} names {kind} {id}, which is not declared")]
    Unknown {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// The device.
        device: DeviceId,
        /// Kind of thing, in a word.
        kind: &'static str,
        /// Its id in the site file.
        id: String,
    },
    /// Not an IANA zone.
    #[error("tenant {tenant}: {id} has time zone {zone}, which is not an IANA time zone such as Asia/Shanghai")]
    Zone {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Its id in the site file.
        id: String,
        /// What was written.
        zone: String,
    },
    /// A tenant twice.
    #[error("tenant {0} is declared twice")]
    TenantTwice(TenantId),
    /// More than a carrier has.
    #[error(
        "the trunk of tenant {tenant} has more than {} addresses; name those that calls come from",
        TRUNK_ADDRESSES_MAX
    )]
    TrunkAddresses {
        /// Whose trunk.
        tenant: TenantId,
    },
    /// Who is rung back could not be told.
    #[error("tenants {first} and {second} have the same trunk caller_number; give each a number of its own")]
    CallerNumberTwice {
        /// One.
        first: TenantId,
        /// The other.
        second: TenantId,
    },
    /// A trunk that no call can go out over.
    #[error("tenant {tenant}: trunk.{field} must be {wanted}")]
    Trunk {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Field at fault.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A number in national form, and no telling of which country.
    #[error(
        "tenant {tenant}: {of} has a number without '+' and the country code; write them, or give the tenant's trunk a number_plan in this file"
    )]
    NoNumberPlan {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// What has the number.
        of: String,
    },
    /// A number that is none by the number plan.
    #[error("tenant {tenant}: {of} has a number that cannot be read by the number_plan of the trunk")]
    Number {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// What has the number.
        of: String,
        /// What keeps it from being a number.
        source: PhoneNumberError,
    },
    /// A household that cannot be kept.
    #[error("tenant {tenant}: household {household}: {field} must be {wanted}")]
    Household {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Its id in the site file.
        household: String,
        /// Field at fault.
        field: String,
        /// What it must be.
        wanted: String,
    },
    /// A rule for calls that cannot be kept.
    #[error("tenant {tenant}: call_rules.{field} must be {wanted}")]
    CallRules {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Field at fault.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Labels that tickets cannot go by.
    #[error("tenant {tenant}: ticket_status: there must be {wanted}")]
    TicketStatus {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// What there must be.
        wanted: &'static str,
    },
    /// A slot that nobody can come in.
    #[error("tenant {tenant}: service point {service_point} has a slot whose {field} must be {wanted}")]
    Slot {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Service point that it is at.
        service_point: String,
        /// Field at fault.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Readings cannot be kept for so long or so short a time, or nobody reports by that profile.
    #[error("tenant {tenant}: retention of {family}: {wanted}")]
    Retention {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Of which profile.
        family: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A budget that nobody can accept.
    #[error("tenant {tenant}: budget of {family}: {wanted}")]
    Budget {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// Of which model family.
        family: String,
        /// What is wrong with it.
        wanted: String,
    },
    /// Not a SHA-256.
    #[error("tenant {tenant}: device {device}: secret_sha256 must be 64 hexadecimal digits")]
    SecretHash {
        /// Tenant whose part of the site file is at fault.
        tenant: TenantId,
        /// The device.
        device: DeviceId,
    },
}
