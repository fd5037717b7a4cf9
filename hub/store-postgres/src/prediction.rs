//! Scoring state, findings and the tickets they open: one transaction, one ticket, no matter who else scores at the time.

use crate::baseline;
use crate::finding;
use crate::page::{id_cursor, page, page_limit};
use crate::row::{db, not_found, stored};
use crate::scoring;
use crate::shadow;
use crate::situation;
use crate::store::{PostgresStore, commit};
use crate::telemetry;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::baseline::Baseline;
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, FindingId};
use hub_core::situation::{COOL_DOWNS_MAX, Changes, FindingChange};
use hub_store::error::Result;
use hub_store::page::{PAGE_MAX, Page};
use hub_store::prediction::{
    Challenged, KeptChallenge, PredictionStore, SavedDetectors, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch,
};
use hub_store::site::SiteStore;
use hub_store::telemetry::StoredRow;
use jiff::Timestamp;
use std::collections::BTreeSet;

#[async_trait]
impl PredictionStore for PostgresStore {
    async fn scoring_subjects(&self, appliances: &[ApplianceId]) -> Result<Vec<ScoringSubject>> {
        scoring::subjects(self, appliances).await
    }

    async fn scored_up_to(&self) -> Result<Vec<ScoredUpTo>> {
        scoring::scored_up_to(self).await
    }

    async fn scored_rows(&self, stretches: &[Stretch], families: Option<&[String]>) -> Result<Vec<StoredRow>> {
        telemetry::again(self, stretches, families).await
    }

    async fn commit_scoring(&self, scored: &ScoringCommit, now: Timestamp) -> Result<Vec<FindingChange>> {
        let is_plain = scored.observations.is_empty()
            && scored.checkpoints.is_empty()
            && scored.scores.is_empty()
            && scored.watching.is_empty()
            && scored.shadow.is_empty();
        if is_plain && !scored.offsets.is_empty() && scoring::advance_alone(self, &scored.offsets, now).await? {
            return Ok(Vec::new());
        }
        let now = stored(now);
        let mut tx = self.begin_fenced().await?;
        let mut ids: BTreeSet<i64> = scored.observations.iter().map(|seen| seen.appliance().0).collect();
        ids.extend(finding::due(&mut tx, now, COOL_DOWNS_MAX).await?);
        let ids: Vec<i64> = ids.into_iter().collect();
        let mut situations = situation::load_to_observe(&mut tx, &ids, &scored.observations, now).await?;
        scoring::advance(&mut tx, &scored.offsets).await?;
        scoring::save(&mut tx, &scored.checkpoints, &scored.scores, now).await?;
        scoring::tell(&mut tx, &scored.watching).await?;
        shadow::save(&mut tx, &scored.shadow, now).await?;
        let mut changes = Changes::default();
        let told = situation::with_ids(|ids| {
            let mut told = Vec::new();
            for observation in &scored.observations {
                if let Some(situation) = situations.get_mut(&observation.appliance()) {
                    told.extend(situation.observe(observation, ids, now, &mut changes)?);
                }
            }
            for situation in situations.values_mut() {
                told.extend(situation.end_cool_downs(ids, now, &mut changes)?);
            }
            Ok(told)
        })?;
        if changes.is_empty() {
            tx.commit().await.map_err(db)?;
            return Ok(told);
        }
        situation::save(&mut tx, changes).await?;
        commit(self, tx).await?;
        Ok(told)
    }

    async fn baselines_restarted(&self) -> Result<Vec<ApplianceId>> {
        scoring::take_restarted(self).await
    }

    async fn saved_detectors(&self, actor: &Actor, appliance: ApplianceId) -> Result<SavedDetectors> {
        actor.may(Act::ReadAppliances)?;
        self.appliance(actor, appliance).await?;
        scoring::saved(self, actor, appliance).await
    }

    async fn firmware_changes(&self, appliances: &[ApplianceId]) -> Result<Vec<(ApplianceId, Timestamp)>> {
        baseline::firmware_changes(self, appliances).await
    }

    async fn follow_firmware(&self, appliances: &[ApplianceId], now: Timestamp) -> Result<Vec<ApplianceId>> {
        baseline::follow_firmware(self, appliances, now).await
    }

    async fn baseline(&self, actor: &Actor, appliance: ApplianceId) -> Result<Baseline> {
        actor.may(Act::ReadAppliances)?;
        self.appliance(actor, appliance).await?;
        baseline::of_appliance(self, actor, appliance).await
    }

    async fn challenges(&self) -> Result<Vec<KeptChallenge>> {
        shadow::challenges(self).await
    }

    async fn challenged(&self, family: &str, after: Option<ApplianceId>, limit: usize) -> Result<Vec<Challenged>> {
        shadow::challenged(self, family, after, limit).await
    }

    async fn findings(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<Finding>> {
        actor.may(Act::ReadFindings)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut tx = self.begin_scoped(actor).await?;
        let rows = sqlx::query(
            "select * from finding where ($1::text is null or tenant = $1) and ($2::uuid is null or id < $2) \
               and ($4::text[] is null or appliance in (select id from appliance where service_point = any($4))) \
             order by id desc limit $3",
        )
        .bind(actor.tenant())
        .bind(id_cursor(after)?)
        .bind(page_limit(limit))
        .bind(actor.sites())
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let items: Vec<Finding> = rows.iter().map(finding::from_row).collect::<Result<_>>()?;
        Ok(page(items, limit, |finding| finding.id.to_string()))
    }

    async fn finding(&self, actor: &Actor, id: FindingId) -> Result<Finding> {
        actor.may(Act::ReadFindings)?;
        let mut tx = self.begin_scoped(actor).await?;
        let row = sqlx::query(
            "select * from finding where id = $1 and ($2::text is null or tenant = $2) \
               and ($3::text[] is null or appliance in (select id from appliance where service_point = any($3)))",
        )
        .bind(id.0)
        .bind(actor.tenant())
        .bind(actor.sites())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("finding", id))?;
        finding::from_row(&row)
    }
}
