//! A device as it is declared beside the same as it is stored, and what of it is news.

use crate::site_apply::note;
use hub_core::baseline::RestartReason;
use hub_core::id::TenantId;
use hub_core::site::Device;
use hub_store::error::{Result, StoreError};
use hub_store::site::SiteChange;
use std::collections::HashMap;
use uuid::Uuid;

/// A device as it is declared.
pub(super) struct Wanted<'a> {
    pub(super) device: &'a Device,
    /// SHA-256 of a secret that is to work from now on.
    pub(super) secret: Option<[u8; 32]>,
    /// A site file says so. A secret that the file named before is no news: it may have been rotated or replaced since.
    pub(super) by_file: bool,
}

/// A device as the database has it.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) revoked: bool,
    pub(super) profile: String,
    pub(super) model: Option<String>,
    /// Name of its household in the tenant.
    pub(super) owner: Option<String>,
    pub(super) service_point: Option<String>,
    pub(super) secret: Option<Vec<u8>>,
    pub(super) old_secret: Option<Vec<u8>>,
    /// What a site file named last.
    pub(super) site_secret: Option<Vec<u8>>,
    /// A site file has declared it.
    pub(super) declared: bool,
}

/// What of a wanted device is new, if it exists.
pub(super) struct News<'a> {
    /// Somebody is told that it changes.
    pub(super) told: bool,
    pub(super) secret: Option<&'a [u8]>,
    pub(super) site_secret: Option<&'a [u8]>,
    /// A site file declares it for the first time.
    pub(super) declared: bool,
    /// Its session ends.
    pub(super) cut: bool,
    /// Its baseline begins again.
    pub(super) restarted: Option<RestartReason>,
}

impl<'a> Wanted<'a> {
    pub(super) fn by_file(device: &'a Device) -> Result<Self> {
        Ok(Self {
            device,
            secret: device.secret_sha256.as_deref().map(secret_hash).transpose()?,
            by_file: true,
        })
    }

    pub(super) fn id(&self) -> &'a str {
        self.device.id.as_str()
    }

    pub(super) fn owner(&self) -> Option<&'a str> {
        self.device.owner.as_deref()
    }

    pub(super) fn owner_in(&self, owners: &HashMap<&str, Uuid>) -> Option<Uuid> {
        self.owner().and_then(|name| owners.get(name)).copied()
    }

    pub(super) fn secret(&self) -> Option<&[u8]> {
        self.secret.as_ref().map(|secret| &secret[..])
    }

    pub(super) fn news(&self, known: &Stored) -> News<'_> {
        let named = self
            .secret()
            .filter(|secret| !(self.by_file && known.site_secret.as_deref() == Some(*secret)));
        // One that works already, in either place, is nothing new.
        let works =
            |secret: &[u8]| known.secret.as_deref() == Some(secret) || known.old_secret.as_deref() == Some(secret);
        let secret = named.filter(|secret| !works(secret));
        let other_profile = known.profile != self.device.profile;
        let other_owner = known.owner != self.device.owner;
        let had_secret = known.secret.is_some() || known.old_secret.is_some();
        News {
            told: secret.is_some()
                || other_profile
                || other_owner
                || known.model != self.device.model
                || known.service_point != self.device.service_point,
            secret,
            site_secret: named.filter(|_| self.by_file),
            declared: self.by_file && !known.declared,
            // In either case: it was read by the profile of its log-in.
            cut: secret.is_some() && had_secret || other_profile,
            restarted: match (other_profile, known.owner.is_some() && other_owner) {
                (true, _) => Some(RestartReason::OtherProfile),
                // A new owner uses it in another way.
                (false, true) => Some(RestartReason::NewOwner),
                (false, false) => None,
            },
        }
    }

    pub(super) fn note(&self, tenant: &TenantId, known: Option<&Stored>, changes: &mut Vec<SiteChange>) {
        if known.is_none_or(|known| self.news(known).told) {
            note(
                changes,
                known.is_some(),
                "device",
                format!("{tenant}/{}", self.device.id),
            );
        }
    }
}

impl News<'_> {
    pub(super) fn is_any(&self) -> bool {
        self.told || self.site_secret.is_some() || self.declared
    }
}

fn secret_hash(digits: &str) -> Result<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash)
        .map_err(|_| StoreError::Refused("secret_sha256 must be 64 hexadecimal digits".to_owned()))?;
    Ok(hash)
}
