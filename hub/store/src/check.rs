//! What every store refuses before it changes anything, in the same words.

use crate::bounds::OWNER_NAME_MAX;
use crate::claim::{
    CODE_LEN_MAX, CODE_LEN_MIN, DEVICE_WINDOW_MAX, Opener, OwnerContact, PRINTED_WINDOW_MAX, TRIES_MAX,
};
use crate::credential::{ClaimGrant, FILTERS_MAX, GROUP_KEY_LEN};
use crate::device::{CommandView, SHARED_ATTRIBUTES_MAX};
use crate::error::{Result, StoreError};
use crate::session::{KeptSession, SUBSCRIPTIONS_MAX};
use crate::telemetry::{COMMANDS_WAITING_MAX, Command};
use crate::text::text;
use hub_core::access::check_filter;
use hub_core::id::{ApplianceId, CredentialName, TenantId};
use jiff::{SignedDuration, Timestamp};

fn refused<T>(why: String) -> Result<T> {
    Err(StoreError::Refused(why))
}

/// Name of a credential.
///
/// # Errors
/// `Refused` with what a name may be.
pub fn credential_name(name: &str) -> Result<()> {
    let name = CredentialName::new(name);
    name.map(drop).map_err(|error| StoreError::Refused(error.to_string()))
}

/// Token with the prefix that tells at the front door what kind it is.
///
/// # Errors
/// `Refused` with what a token is.
pub fn token(token: &str, prefix: &str) -> Result<()> {
    if token.starts_with(prefix) && token.len() >= prefix.len() + 32 {
        return Ok(());
    }
    refused(format!(
        "a token begins with {prefix} and has at least 32 characters after that"
    ))
}

/// Filters of an integrator.
///
/// # Errors
/// `Refused` where there is none, too many, or one that may not be granted.
pub fn filters(filters: &[String]) -> Result<()> {
    if filters.is_empty() || filters.len() > FILTERS_MAX {
        return refused(format!(
            "an integrator has 1 to {FILTERS_MAX} filters, not {}",
            filters.len()
        ));
    }
    let bad = filters
        .iter()
        .find_map(|filter| Some((filter, check_filter(filter).err()?)));
    bad.map_or(Ok(()), |(filter, error)| refused(format!("filter {filter:?}: {error}")))
}

/// What a new claim credential allows.
///
/// # Errors
/// `Refused` if it is over by now or serves nobody.
pub fn grant(grant: &ClaimGrant, now: Timestamp) -> Result<()> {
    if grant.expires_at > now && grant.uses > 0 {
        return Ok(());
    }
    refused("a claim credential ends in the future and serves at least one device".to_owned())
}

/// Key of a group.
///
/// # Errors
/// `Refused` if it is too short or too long.
pub fn group_key(key: &[u8]) -> Result<()> {
    if GROUP_KEY_LEN.contains(&key.len()) {
        return Ok(());
    }
    refused(format!(
        "a group key has {} to {} bytes, this one has {}",
        GROUP_KEY_LEN.start(),
        GROUP_KEY_LEN.end(),
        key.len()
    ))
}

/// Room for one more of what a tenant has `there` of already.
///
/// # Errors
/// `Refused` if there may not be more.
pub fn room(tenant: &TenantId, there: i64, most: i64) -> Result<()> {
    if there < most {
        return Ok(());
    }
    refused(format!(
        "tenant {tenant} has {there} of these already, which is the most"
    ))
}

/// Profile among those that exist.
///
/// # Errors
/// `Refused` with their names.
pub fn profile<'a>(profile: &str, known: impl Iterator<Item = &'a String>) -> Result<()> {
    let known: Vec<&str> = known.map(String::as_str).collect();
    if known.contains(&profile) {
        return Ok(());
    }
    refused(format!(
        "there is no profile {profile}; there are: {}",
        known.join(", ")
    ))
}

/// A name of a credential that is there already, or was.
pub fn name_is_taken(what: &str, tenant: &TenantId, name: &str) -> StoreError {
    StoreError::Refused(format!(
        "{what} {tenant}/{name} is there already, or was; take another name"
    ))
}

/// End of an old secret.
///
/// # Errors
/// `Refused` if it does not lie ahead.
pub fn end_of_old_secret(until: Option<Timestamp>, now: Timestamp) -> Result<()> {
    if until.is_none_or(|until| until > now) {
        return Ok(());
    }
    refused("the end of the old secret must lie ahead; to end it at once, retire it".to_owned())
}

/// Claim that is opened with this code until then.
///
/// # Errors
/// `Refused` if the code is too short or too long, or the claim ends too late for this opener.
pub fn claim(opener: Opener, code: &str, until: Timestamp, now: Timestamp) -> Result<()> {
    if !(CODE_LEN_MIN..=CODE_LEN_MAX).contains(&code.len()) {
        return refused(format!(
            "a claim code has {CODE_LEN_MIN} to {CODE_LEN_MAX} bytes, not {}",
            code.len()
        ));
    }
    let longest = match opener {
        Opener::Device => DEVICE_WINDOW_MAX,
        Opener::Maker => PRINTED_WINDOW_MAX,
    };
    let open_for = until.duration_since(now);
    if open_for.is_positive() && open_for <= SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX) {
        return Ok(());
    }
    refused(format!(
        "a claim that the {} opens ends within {} hours from now",
        opener.name(),
        longest.as_secs() / 3600
    ))
}

/// What a new owner tells of themselves.
///
/// # Errors
/// `Refused` for a name that is empty or too long, or a zone that does not exist.
pub fn owner_contact(contact: &OwnerContact) -> Result<()> {
    let length = contact.name.trim().chars().count();
    if !(1..=OWNER_NAME_MAX).contains(&length) {
        return refused(format!(
            "an owner's name has 1 to {OWNER_NAME_MAX} characters, not {length}"
        ));
    }
    if jiff::tz::TimeZone::get(&contact.zone).is_err() {
        return refused(format!(
            "{:?} is not an IANA time zone such as Asia/Shanghai",
            contact.zone
        ));
    }
    Ok(())
}

/// No claim is open for a device.
pub fn no_claim_open() -> StoreError {
    StoreError::Refused(
        "no claim is open for this device: it was closed, ran out, or had too many wrong codes; open it anew at the \
         device or ask the maker"
            .to_owned(),
    )
}

/// The code fits no claim that is open.
pub fn wrong_code() -> StoreError {
    StoreError::Refused(format!("the code is wrong; {TRIES_MAX} wrong codes close the claim"))
}

/// A session as it is to be kept.
///
/// # Errors
/// `Refused` if it has too many subscriptions.
pub fn session(session: &KeptSession) -> Result<()> {
    if session.subscriptions.len() <= SUBSCRIPTIONS_MAX {
        return Ok(());
    }
    refused(format!(
        "a session keeps {SUBSCRIPTIONS_MAX} filters, not {}",
        session.subscriptions.len()
    ))
}

/// So many attributes that a device is told.
///
/// # Errors
/// `Refused` if these are too many.
pub fn shared_attributes(count: usize) -> Result<()> {
    if count <= SHARED_ATTRIBUTES_MAX {
        return Ok(());
    }
    refused(format!(
        "a device is told at most {SHARED_ATTRIBUTES_MAX} attributes; take some away with null"
    ))
}

/// So many commands that wait for an appliance, before another one.
///
/// # Errors
/// `Refused` if there may not be more.
pub fn commands_waiting(appliance: ApplianceId, waiting: i64) -> Result<()> {
    if waiting < COMMANDS_WAITING_MAX {
        return Ok(());
    }
    refused(format!(
        "{COMMANDS_WAITING_MAX} commands wait for appliance {appliance} already; wait until it has connected"
    ))
}

/// What was queued under a request id, if it is this command.
///
/// # Errors
/// `Conflict` if it is another one.
pub fn same_command(command: &Command, queued: CommandView) -> Result<CommandView> {
    if queued.body == text(&command.body) {
        return Ok(queued);
    }
    Err(StoreError::Conflict(format!(
        "request {} of appliance {} was used for another command; choose another request id",
        command.request, queued.appliance
    )))
}
