//! The telephone side, with the trunks that tenants have declared: as they are now, whenever one comes or changes.

use crate::config::Config;
use crate::workers::contact::Calls;
use crate::workers::in_time;
use anyhow::{Context, Result};
use hub_core::id::TenantId;
use hub_core::site::Trunk;
use hub_store::site::SiteStore;
use hub_voice::{Secret, TrunkConfig, Voice, VoiceConfig};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Spoken prompts kept on disk: about an hour.
const PROMPT_CACHE_BYTES: u64 = 64 << 20;
/// Between two looks at the trunks that are declared.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The way to the telephone network: none before a tenant has a trunk.
#[derive(Default)]
pub struct Telephone {
    voice: RwLock<Option<Arc<Voice>>>,
    /// Why trunks that are declared are not used.
    problem: RwLock<Option<String>>,
}

impl Telephone {
    /// The telephone side, if there is one.
    pub fn voice(&self) -> Option<Arc<Voice>> {
        self.voice.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, if this tenant has a trunk.
    pub fn of_tenant(&self, tenant: &TenantId) -> Option<Arc<Voice>> {
        self.voice().filter(|voice| voice.has_trunk(tenant.as_str()))
    }

    /// Tenants whose trunk has no channel now for a call that we place.
    pub fn full(&self) -> Vec<TenantId> {
        let full = self.voice().map(|voice| voice.full_trunks()).unwrap_or_default();
        // A trunk has its tenant's name.
        full.iter().filter_map(|name| TenantId::new(name).ok()).collect()
    }

    /// What keeps it from ringing anybody, for an administrator: part and reason.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        let own = self.problem.read().unwrap_or_else(PoisonError::into_inner).clone();
        let own = own.map(|reason| ("sip", reason));
        own.or_else(|| self.voice()?.problem())
    }

    pub(crate) fn set_voice(&self, voice: Arc<Voice>) {
        *self.voice.write().unwrap_or_else(PoisonError::into_inner) = Some(voice);
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Follows the trunks that tenants declare.
pub struct TrunkWatch {
    telephone: Arc<Telephone>,
    store: Arc<dyn SiteStore>,
    /// Everything but the trunks.
    settings: VoiceConfig,
    calls_max: usize,
    seen: Vec<(TenantId, Trunk)>,
}

impl TrunkWatch {
    /// One that has not looked yet.
    pub fn new(config: &Config, store: Arc<dyn SiteStore>, telephone: Arc<Telephone>) -> Self {
        Self {
            telephone,
            store,
            settings: settings(config),
            calls_max: config.calls_max,
            seen: Vec::new(),
        }
    }

    /// Looks once: the first trunk starts the telephone side, and what has changed is used by the calls that follow.
    ///
    /// # Errors
    ///
    /// The store does not answer, or the telephone side does not start. What was used before stays in use.
    pub async fn look(&mut self) -> Result<()> {
        let trunks = in_time(self.store.trunks()).await?;
        if trunks == self.seen {
            return Ok(());
        }
        let declared = trunks.iter().cloned();
        let declared = declared.map(|(tenant, trunk)| trunk_config(&tenant, trunk, self.calls_max));
        let declared: Vec<TrunkConfig> = declared.collect();
        match self.telephone.voice() {
            Some(voice) => {
                voice.set_trunks(declared).await.context("cannot change the trunks")?;
                tracing::info!(trunks = trunks.len(), "trunks were read again");
            }
            None => {
                let voice = Voice::start(VoiceConfig {
                    trunks: declared,
                    ..self.settings.clone()
                });
                let voice = voice.await.context("cannot start the telephone side")?;
                self.telephone.set_voice(Arc::new(voice));
            }
        }
        self.seen = trunks;
        Ok(())
    }

    /// Looks again and again, and has calls that come in answered, until `stop`.
    pub async fn run(mut self, calls: Arc<Calls>, stop: CancellationToken) {
        let mut serving = JoinSet::new();
        loop {
            if let Some(voice) = self.telephone.voice().filter(|_| serving.is_empty()) {
                let (calls, stop) = (calls.clone(), stop.clone());
                serving.spawn(async move { voice.serve_inbound(calls, stop).await });
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => break,
            }
            let before = self.seen.clone();
            self.look_again().await;
            for tenant in changed(&before, &self.seen) {
                calls.ways().forget(tenant);
            }
        }
        while serving.join_next().await.is_some() {}
    }

    async fn look_again(&mut self) {
        let looked = self.look().await;
        let problem = looked.err().map(|error| format!("{error:#}"));
        if let Some(reason) = problem.as_ref().filter(|reason| Some(*reason) != self.known().as_ref()) {
            tracing::warn!(reason, "trunks that are declared are not used yet");
        }
        self.telephone.set_problem(problem);
    }

    fn known(&self) -> Option<String> {
        self.telephone
            .problem
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Tenants whose trunk is another one now, or gone.
fn changed<'a>(before: &'a [(TenantId, Trunk)], now: &'a [(TenantId, Trunk)]) -> impl Iterator<Item = &'a TenantId> {
    let gone = before.iter().filter(move |known| !now.contains(known));
    gone.map(|(tenant, _)| tenant)
}

fn settings(config: &Config) -> VoiceConfig {
    VoiceConfig {
        bind: config.sip,
        advertise: config.sip_advertise.clone(),
        media_ports: Some(config.media_ports.range()),
        trunks: Vec::new(),
        prompt_cache: prompts(config),
        prompt_cache_bytes: PROMPT_CACHE_BYTES,
        recordings: None,
        limits: hub_voice::Limits::default(),
    }
}

fn prompts(config: &Config) -> PathBuf {
    config.state_dir.join("prompts")
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
        inbound_channels: trunk.inbound_channels.map(usize::from),
        believe_from: trunk.believe_from,
        post_dial_limit_s: Some(trunk.post_dial_limit_s),
        trying_limit_s: Some(trunk.trying_limit_s),
        number_plan: trunk.number_plan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_store::conformance::scene::site;

    #[test]
    fn a_trunk_that_is_declared_anew_is_another_one() {
        let trunk = site().tenants.into_iter().find_map(|tenant| tenant.trunk).unwrap();
        let moved = Trunk {
            domain: "other.example".to_owned(),
            ..trunk.clone()
        };
        let [same, other, gone, new] = ["same", "other", "gone", "new"].map(|name| TenantId::new(name).unwrap());
        let before = [
            (same.clone(), trunk.clone()),
            (other.clone(), trunk.clone()),
            (gone.clone(), trunk.clone()),
        ];
        let now = [(same, trunk.clone()), (other.clone(), moved), (new, trunk)];
        assert_eq!(changed(&before, &now).collect::<Vec<_>>(), [&other, &gone]);
    }
}
