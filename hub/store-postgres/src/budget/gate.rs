//! What the fleet's history says of appliances about which something is decided: their own models' rows, and each of them read once.

use super::appliance_model;
use crate::row::{Columns, db};
use hub_core::budget::gate::Gate;
use hub_core::budget::ledger::{Ledger, ModelEntry};
use hub_core::id::ApplianceId;
use hub_core::situation::Situation;
use hub_store::error::Result;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::sync::Arc;

const GATES: &str = concat!(
    "with wanted as (select a.id, a.tenant, ",
    appliance_model!(),
    " as model from appliance a left join appliance_birth h on h.appliance = a.id where a.id = any($1)), \
     placed as (select w.id, b.tenant, b.family, case when exists ( \
         select from budget_model m where (m.tenant, m.family, m.model) = (b.tenant, b.family, w.model)) \
         then w.model else '' end as model from wanted w join budget b on b.tenant = w.tenant) \
     select p.family, p.model, p.ids, m.entry, b.ledger from ( \
         select tenant, family, model, array_agg(id) as ids from placed group by tenant, family, model) p \
       join budget_model m on (m.tenant, m.family, m.model) = (p.tenant, p.family, p.model) \
       join budget b on (b.tenant, b.family) = (p.tenant, p.family)"
);

/// Hands each of these situations what the fleet's history says of its appliance.
pub(crate) async fn load<'a>(
    conn: &mut PgConnection,
    situations: impl IntoIterator<Item = &'a mut Situation>,
) -> Result<()> {
    let mut by_id: BTreeMap<ApplianceId, &mut Situation> = BTreeMap::new();
    by_id.extend(situations.into_iter().map(|situation| (situation.appliance, situation)));
    if by_id.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = by_id.keys().map(|id| id.0).collect();
    let rows = sqlx::query(GATES).bind(ids).fetch_all(conn).await.map_err(db)?;
    for row in &rows {
        let (family, model): (String, String) = (row.col("family")?, row.col("model")?);
        let (ledger, entry): (Ledger, ModelEntry) = (row.json("ledger")?, row.json("entry")?);
        let ledger = ledger.with_models(BTreeMap::from([(model.clone(), entry)]));
        let gate = Arc::new(Gate::new(ledger, &model));
        for id in row.col::<Vec<i64>>("ids")? {
            if let Some(situation) = by_id.get_mut(&ApplianceId(id)) {
                situation.gates.insert(family.clone(), gate.clone());
            }
        }
    }
    Ok(())
}
