//! What comes in at the front door.

use super::scene::{after, morning, tenant};
use crate::access::{AccessChange, Claimant, Credential, Principal, ProvisionRequest};
use crate::credential::ClaimGrant;
use crate::{Store, StoreError};
use hub_core::access::derived_secret;
use hub_core::id::DeviceId;
use jiff::Timestamp;
use std::time::Duration;

pub fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

pub fn secret(tenant_id: &str, name: &str, secret: &str) -> Credential {
    Credential::Secret {
        tenant: tenant(tenant_id),
        device: device(name),
        secret: secret.into(),
    }
}

pub fn certificate(tenant_id: &str, name: &str) -> Credential {
    Credential::Certificate {
        tenant: tenant(tenant_id),
        device: device(name),
    }
}

/// `tenant/device`, `integrator tenant/name` or `claimant tenant/name` of each, or nothing.
pub async fn who_at(store: &dyn Store, shown: &[Credential], now: Timestamp) -> Vec<String> {
    let principals = store.identify(shown, now).await.unwrap();
    principals
        .into_iter()
        .map(|principal| match principal {
            None => String::new(),
            Some(Principal::Device(d, _)) => format!("{}/{}", d.tenant, d.device),
            Some(Principal::Integrator(i)) => format!("integrator {}/{}", i.tenant, i.name),
            Some(Principal::Claimant(c)) => format!("claimant {}/{}", c.tenant, c.name),
        })
        .collect()
}

pub async fn who(store: &dyn Store, shown: &[Credential]) -> Vec<String> {
    who_at(store, shown, morning()).await
}

pub async fn changes(store: &dyn Store) -> Vec<AccessChange> {
    store.access_changed(Duration::ZERO).await.unwrap()
}

pub fn token(prefix: &str) -> String {
    format!("{prefix}{}", "0123456789abcdef".repeat(4))
}

pub fn grant(uses: u32, replace: bool) -> ClaimGrant {
    ClaimGrant {
        profile: "washing-machine".into(),
        expires_at: after(60),
        uses,
        replace,
    }
}

/// A claim credential, as the front door finds it.
pub async fn claimant(store: &dyn Store, name: &str, uses: u32, replace: bool) -> Claimant {
    let text = token(&format!("claim_{name}"));
    let acme = tenant("acme");
    store
        .add_claim_credential(&acme, name, &text, &grant(uses, replace), morning())
        .await
        .unwrap();
    match store
        .identify(&[Credential::Token(text)], morning())
        .await
        .unwrap()
        .remove(0)
    {
        Some(Principal::Claimant(claimant)) => claimant,
        other => panic!("{other:?}"),
    }
}

pub fn asks(name: &str, csr: Option<Vec<u8>>) -> ProvisionRequest {
    ProvisionRequest {
        device: device(name),
        csr,
        secret: None,
    }
}

/// A secret that a device has made; one of each number.
pub fn made(number: u8) -> String {
    (0..32_u8)
        .map(|at| format!("{:02x}", number.wrapping_add(at.wrapping_mul(7))))
        .collect()
}

/// A device asks with a secret that it has made.
pub fn asks_for(name: &str, secret: &str) -> ProvisionRequest {
    ProvisionRequest {
        device: device(name),
        csr: None,
        secret: Some(secret.to_owned()),
    }
}

pub fn is_refused<T: std::fmt::Debug>(told: Result<T, StoreError>, why: &str) {
    match told {
        Err(StoreError::Refused(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("{other:?} instead of {why}"),
    }
}

pub fn derived(key: &[u8], device: &str) -> String {
    derived_secret(key, &self::device(device))
}
