//! The telephone side, with the trunks that tenants have declared.

use crate::config::Config;
use anyhow::{Context, Result};
use hub_core::id::TenantId;
use hub_core::phone_number::PhoneNumber;
use hub_core::site::Trunk;
use hub_store::site::SiteStore;
use hub_store_postgres::PostgresStore;
use hub_voice::{Secret, TrunkConfig, Voice, VoiceConfig};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Spoken prompts kept on disk: about an hour.
const PROMPT_CACHE_BYTES: u64 = 64 << 20;

/// The way to the telephone network.
#[derive(Clone)]
pub struct Telephone {
    /// The telephone side.
    pub voice: Arc<Voice>,
    /// The main number of each tenant that has a trunk.
    pub main_numbers: BTreeMap<TenantId, PhoneNumber>,
}

/// Starts it; `None` if there is no trunk.
pub async fn start(config: &Config, store: &PostgresStore) -> Result<Option<Telephone>> {
    let trunks = store.trunks().await?;
    if trunks.is_empty() {
        return Ok(None);
    }
    let main_numbers = trunks
        .iter()
        .map(|(tenant, trunk)| (tenant.clone(), trunk.caller_number.clone()))
        .collect();
    let voice = Voice::start(VoiceConfig {
        bind: config.sip,
        advertise: config.sip_advertise.clone(),
        media_ports: Some(config.media_ports.range()),
        trunks: trunks
            .into_iter()
            .map(|(tenant, trunk)| trunk_config(&tenant, trunk, config.calls_max))
            .collect(),
        prompt_cache: config.state_dir.join("prompts"),
        prompt_cache_bytes: PROMPT_CACHE_BYTES,
        recordings: None,
        limits: hub_voice::Limits::default(),
    });
    let voice = Arc::new(voice.await.context("cannot start the telephone side")?);
    Ok(Some(Telephone { voice, main_numbers }))
}

fn trunk_config(tenant: &TenantId, trunk: Trunk, calls_max: usize) -> TrunkConfig {
    TrunkConfig {
        name: tenant.as_str().to_owned(),
        proxy: trunk.proxy,
        addresses: trunk.addresses,
        domain: trunk.domain,
        username: trunk.username,
        password: trunk.password.map(Secret::new),
        caller_number: trunk.caller_number,
        channels: calls_max,
        believe_from: trunk.believe_from,
        post_dial_limit_s: Some(trunk.post_dial_limit_s),
        trying_limit_s: Some(trunk.trying_limit_s),
        number_plan: trunk.number_plan,
    }
}
