//! Accounts of people: what an account may be, and that somebody who runs the hub is always left.

use crate::actor::{Act, Actor, NotAllowed, Role};
use std::str::FromStr;

/// Longest log-in name, in bytes.
pub const NAME_LEN_MAX: usize = 64;
/// Most sites that an account is confined to.
pub const SITES_MAX: usize = 64;
/// Most accounts of a hub.
pub const ACCOUNTS_MAX: usize = 1_000;

/// Why an account cannot be made or changed like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The log-in name is empty, too long, or has characters that no name has.
    #[error("a log-in name has 1 to {NAME_LEN_MAX} letters, digits, '-', '_', '.' or '@', not {0:?}")]
    Name(String),
    /// No such role, or one that no account has.
    #[error("there is no role {0:?}; the roles are administrator, supervisor, agent, technician, maker and auditor")]
    Role(String),
    /// An account without a role could do nothing.
    #[error("an account has one role or more")]
    NoRole,
    /// Sites without a tenant mean nothing.
    #[error("sites are those of a tenant: name the tenant too")]
    SitesWithoutTenant,
    /// No site, or more than the bound.
    #[error("an account is confined to 1 to {SITES_MAX} sites, not to {0}; leave them out for all sites")]
    Sites(usize),
    /// The name is taken.
    #[error("there is an account {0} already; choose another name, or change its roles")]
    Taken(String),
    /// As many accounts as there may be.
    #[error("a hub has at most {ACCOUNTS_MAX} accounts; remove one first")]
    Full,
    /// There is no such account, or not for the one who asks.
    #[error("there is no account {0}")]
    Unknown(String),
    /// Somebody else's password, without the role to change accounts.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Nobody could give roles any more.
    #[error("{0} is the last administrator of the whole hub; make another one first")]
    LastAdministrator(String),
}

/// Reads the name of a role that an account may have.
///
/// # Errors
///
/// There is no such role, or it is not for accounts.
pub fn account_role(text: &str) -> Result<Role, AccountError> {
    let known = Role::from_str(text).ok().filter(|role| role.is_for_accounts());
    known.ok_or_else(|| AccountError::Role(text.to_owned()))
}

/// Checks that an account may be this actor.
///
/// # Errors
///
/// See [`AccountError`].
pub fn check_account(actor: &Actor) -> Result<(), AccountError> {
    let is_fit = |c: char| c.is_alphanumeric() || "-_.@".contains(c);
    if actor.name.is_empty() || actor.name.len() > NAME_LEN_MAX || !actor.name.chars().all(is_fit) {
        return Err(AccountError::Name(actor.name.clone()));
    }
    if let Some(role) = actor.roles.iter().find(|role| !role.is_for_accounts()) {
        return Err(AccountError::Role(role.to_string()));
    }
    if actor.roles.is_empty() {
        return Err(AccountError::NoRole);
    }
    match &actor.sites {
        Some(_) if actor.tenant.is_none() => Err(AccountError::SitesWithoutTenant),
        Some(sites) if sites.is_empty() || sites.len() > SITES_MAX => Err(AccountError::Sites(sites.len())),
        _ => Ok(()),
    }
}

/// Whether `by` may add `new` to the accounts that there are.
///
/// # Errors
///
/// See [`AccountError`].
pub fn check_addition(accounts: &[Actor], by: &Actor, new: &Actor) -> Result<(), AccountError> {
    check_account(new)?;
    if !by.governs(new) {
        return Err(AccountError::Unknown(new.name.clone()));
    }
    if accounts.iter().any(|account| account.name == new.name) {
        return Err(AccountError::Taken(new.name.clone()));
    }
    if accounts.len() >= ACCOUNTS_MAX {
        return Err(AccountError::Full);
    }
    Ok(())
}

/// Whether `by` may make of the account `name` what `to` says, or remove it (`None`).
///
/// # Errors
///
/// See [`AccountError`].
pub fn check_change(accounts: &[Actor], by: &Actor, name: &str, to: Option<&Actor>) -> Result<(), AccountError> {
    let unknown = || AccountError::Unknown(name.to_owned());
    let before = accounts
        .iter()
        .find(|account| account.name == name)
        .ok_or_else(unknown)?;
    if !by.governs(before) || to.is_some_and(|to| !by.governs(to)) {
        return Err(unknown());
    }
    to.map_or(Ok(()), check_account)?;
    let others = accounts.iter().filter(|account| account.name != name);
    if before.runs_the_hub() && !others.chain(to).any(Actor::runs_the_hub) {
        return Err(AccountError::LastAdministrator(name.to_owned()));
    }
    Ok(())
}

/// Whether `by` may set the password of the account `name`: its person may, and who changes accounts that they govern.
///
/// # Errors
///
/// See [`AccountError`]; [`AccountError::NotAllowed`] for somebody else's without the role.
pub fn check_password(accounts: &[Actor], by: &Actor, name: &str) -> Result<(), AccountError> {
    let known = accounts.iter().find(|account| account.name == name);
    let account = known.filter(|account| by.governs(account));
    let account = account.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    if account != by {
        by.may(Act::ChangeAccounts)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
