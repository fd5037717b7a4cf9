//! Who approves calls: a simulated administrator in the test's own process; or a model and a fleet that need no approval.

use crate::hub::{Lab, project};
use anyhow::{Context, Result, ensure};
use hub_core::budget::history::{HighestScore, History, MonthOfScores};
use hub_core::budget::ledger::{Ledger, OTHER_MODELS};
use hub_core::budget::{Draws, Month};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::id::ApplianceId;
use hub_lab::administrator::{Administrator, NAME};
use hub_store_postgres::{Cluster, ClusterOptions};
use jiff::SignedDuration;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Between two looks at what is ready to ring.
const LOOK: Duration = Duration::from_millis(100);

/// Approves every call that is ready to ring, also after the hub was away, until it is dropped.
#[derive(Debug)]
pub(crate) struct Approvals(AbortHandle);

impl Approvals {
    /// From now on, at the running hub of this lab: the simulated administrator gets an account of its own.
    ///
    /// # Errors
    /// The account cannot be made.
    pub(crate) async fn start(lab: &Lab) -> Result<Self> {
        let said = lab.run(&["account", "add", NAME, "--role", "administrator"]).await?;
        let (_, rest) = said.split_once(" with ").context("no password")?;
        let password = rest.split_whitespace().next().context("no password")?.to_owned();
        let http = lab.http;
        let approves = tokio::spawn(async move {
            loop {
                let run = u64::try_from(SystemClock.now().as_nanosecond()).unwrap_or_default();
                // After the hub was away it logs in once more.
                if let Ok(mut administrator) = Administrator::log_in(http, NAME, &password, run).await {
                    while administrator.approve().await.is_ok() {
                        sleep(LOOK).await;
                    }
                }
                sleep(LOOK).await;
            }
        });
        Ok(Self(approves.abort_handle()))
    }
}

impl Drop for Approvals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// From now on the fleets of all tenants have a past of this family, in which no sound appliance came near the score of an alarm: what has
/// earned calls is rung about without an approval. Appliances of a test fail all at once, so a person lets the calls of a surge go on.
/// The hub runs. Made up, as are the models of [`released_models`].
///
/// # Errors
/// The hub's database does not take it.
pub async fn has_a_quiet_past(lab: &Lab, family: &str) -> Result<()> {
    let ledger = quiet_past()?;
    let entry = ledger.model(OTHER_MODELS).context("no thresholds")?;
    let (entry, ledger) = (
        serde_json::to_string(entry)?,
        serde_json::to_string(&ledger.clone().without_models())?,
    );
    let cluster = Cluster::join_or_start(&lab.state(), ClusterOptions::default()).await?;
    ensure!(cluster.is_joined(), "the hub does not run");
    let mut sql = PgConnection::connect_with(&cluster.connect_options()).await?;
    let kept = "insert into budget (tenant, family, ledger, revision) select id, $1, $2::jsonb, 1 from tenant \
        on conflict (tenant, family) do update set revision = budget.revision + 1";
    sqlx::query(kept).bind(family).bind(ledger).execute(&mut sql).await?;
    let place = "insert into budget_model (tenant, family, model, entry) select id, $1, $2, $3::jsonb from tenant \
        on conflict (tenant, family, model) do update set entry = excluded.entry";
    let written = sqlx::query(place).bind(family).bind(OTHER_MODELS).bind(entry);
    written.execute(&mut sql).await?;
    sql.close().await?;
    Ok(())
}

fn quiet_past() -> Result<Ledger> {
    let now = SystemClock.now();
    let mut history = History::default();
    for back in 1..=4 {
        let score = |id: i64| HighestScore {
            appliance: ApplianceId(id),
            score: 0.2 + 0.0001 * id as f32,
        };
        history.record(MonthOfScores::new(Month::at(now).plus(-back), (0..300).map(score)));
    }
    let histories = BTreeMap::from([(OTHER_MODELS.to_owned(), history)]);
    let (mut ledger, mut state) = (Ledger::default(), 1_u64);
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state
    };
    ledger.renew(Month::at(now), None, &histories, &mut Draws(&mut draw));
    ledger.breaker(OTHER_MODELS).count(20, 0.1, now);
    let until = now + SignedDuration::from_hours(29 * 24);
    ledger.release(OTHER_MODELS, "test", "they are worn on purpose", now, until)?;
    Ok(ledger)
}

/// A copy of the project's models in which the pump rig's states that a fleet has found it right: its calls need no approval where the fleet
/// has a past ([`has_a_quiet_past`]). Made up, for tests of how soon a telephone rings.
///
/// # Errors
/// The models cannot be read or written.
pub fn released_models(lab: &Lab) -> Result<PathBuf> {
    const FAMILY: &str = "pump-rig";
    let (from, to) = (project().join("models"), lab.path().join("released-models"));
    std::fs::create_dir_all(to.join(FAMILY))?;
    for entry in std::fs::read_dir(&from)? {
        let name = entry?.file_name();
        if name != FAMILY {
            std::os::unix::fs::symlink(from.join(&name), to.join(&name))?;
        }
    }
    for entry in std::fs::read_dir(from.join(FAMILY))? {
        let name = entry?.file_name();
        std::fs::copy(from.join(FAMILY).join(&name), to.join(FAMILY).join(&name))?;
    }
    state_a_fleet(&to.join(FAMILY).join("manifest.toml"))?;
    Ok(to)
}

fn state_a_fleet(manifest: &Path) -> Result<()> {
    const LABORATORY: &str = "kind = \"laboratory\"";
    const FLEET: &str = "kind = \"fleet\"\nverdicts = { flow_loss = { right = 100, wrong = 0 }, \
        rotor_imbalance = { right = 100, wrong = 0 }, hot_water = { right = 100, wrong = 0 } }";
    let text = std::fs::read_to_string(manifest)?;
    ensure!(text.contains(LABORATORY), "{} states another kind", manifest.display());
    std::fs::write(manifest, text.replacen(LABORATORY, FLEET, 1))?;
    Ok(())
}
