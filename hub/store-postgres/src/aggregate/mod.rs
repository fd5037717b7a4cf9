//! Aggregates: what the fleet did in each hour, and each appliance on each day. Rows are followed in the order of commits,
//! behind the roll-up, by an offset of each partition that moves in the same transaction as what was added: whatever
//! happens at whatever moment, every row is in the aggregates once, however late it came.
//!
//! Where the database has continuous aggregates it fills them itself. Then only what its policies do not look back for is
//! seen to here.

mod continuous;
mod limit;
mod span;
mod tables;

pub(crate) use span::Round;

use crate::row::db;
use crate::store::PostgresStore;
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use limit::{STEP_LIMIT, within};
use sqlx::PgConnection;

/// Rows in a step are not halved below this.
const ROWS_MIN: usize = 100;

/// Who fills the aggregates, as the migration has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filling {
    /// The database.
    Continuous,
    /// The hub.
    Tables,
}

impl Filling {
    /// Reads what was chosen.
    pub(crate) async fn read(conn: &mut PgConnection) -> Result<Self> {
        let word: String = sqlx::query_scalar("select aggregates from layout")
            .fetch_one(conn)
            .await
            .map_err(db)?;
        match word.as_str() {
            "continuous" => Ok(Self::Continuous),
            "tables" => Ok(Self::Tables),
            other => Err(StoreError::Unreadable {
                what: "layout",
                source: format!("there are no aggregates by {other}").into(),
            }),
        }
    }
}

/// One step; see [`hub_store::retention::UpkeepStore::aggregate`].
pub(crate) async fn aggregate(store: &PostgresStore, turn: Option<u16>, limit: usize, now: Timestamp) -> Result<usize> {
    let mut under_way = store.writer.aggregating.lock().await;
    let filling = Filling::read(&mut *store.pool.acquire().await.map_err(db)?).await?;
    // A day that is refreshed is refreshed for all appliances.
    if filling == Filling::Continuous && turn.is_some_and(|turn| turn != 0) {
        return Ok(0);
    }
    let turn = turn.filter(|_| filling == Filling::Tables);
    // What is left of another turn that was given up waits for its next one.
    let mut round = match under_way.take() {
        Some((of, round)) if of == turn => round,
        _ => within(STEP_LIMIT, span::begin(store, turn)).await?,
    };
    if round.is_empty() {
        return Ok(0);
    }
    // Kept meanwhile: what is given up goes on from here.
    *under_way = Some((turn, round.clone()));
    let spans = match filling {
        Filling::Tables => {
            let step = store.writer.aggregate_pace.step("aggregates", limit, ROWS_MIN);
            let spans = within(STEP_LIMIT, tables::step(store, &round, step.size)).await;
            step.end(&spans);
            spans?
        }
        Filling::Continuous => continuous::step(store, &round, now).await?,
    };
    // What is reached leaves, and what somebody else is at waits for the next round.
    round.retain(|partition, mark| spans.iter().any(|span| span.goes_on(*partition, mark)));
    *under_way = Some((turn, round));
    Ok(span::rows(&spans))
}
