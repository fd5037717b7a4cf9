//! Where the values of a row of `telemetry` lie: the first channels of a profile in a column each, the rest in an array.
//! Columns compress to less than half of what an array takes (record 15 in `docs/adr`).

use crate::row::Columns as _;
use hub_core::id::TraceId;
use hub_store::error::Result;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// Channels that have a column of their own, `c1` to `c32`; those behind them are in `more`.
pub(crate) const COLUMNS: usize = 32;

/// All values of a row as one array by channel order, as an SQL expression; read with [`hub_core::telemetry::kept`].
macro_rules! values {
    () => {
        "array[c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20, c21, c22, c23, c24, \
         c25, c26, c27, c28, c29, c30, c31, c32] || more"
    };
}
pub(crate) use values;

/// The value of one channel, as an SQL expression. Ids are numbers of our own.
pub(crate) fn value(id: u8) -> String {
    match usize::from(id).checked_sub(COLUMNS) {
        None | Some(0) => format!("c{id}"),
        Some(behind) => format!("more[{behind}]"),
    }
}

/// The halves of a trace id, as they lie in `trace_high` and `trace_low`.
pub(crate) fn halves(trace: Uuid) -> (i64, i64) {
    let (high, low) = trace.as_u64_pair();
    (high.cast_signed(), low.cast_signed())
}

/// A trace id from its halves.
pub(crate) fn whole(high: i64, low: i64) -> Uuid {
    Uuid::from_u64_pair(high.cast_unsigned(), low.cast_unsigned())
}

/// The trace id of a row that has both halves.
pub(crate) fn trace(row: &PgRow) -> Result<TraceId> {
    Ok(TraceId(whole(row.col("trace_high")?, row.col("trace_low")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_first() {
        assert_eq!([1, 32, 33, 255].map(value), ["c1", "c32", "more[1]", "more[223]"]);
        let all = values!();
        assert!((1..=COLUMNS).all(|id| all.contains(&format!("c{id}"))) && !all.contains("c33"));
    }

    #[test]
    fn trace_ids_come_back_from_their_halves() {
        for trace in [0, 1, u128::MAX, 1 << 127, u128::from(u64::MAX)].map(Uuid::from_u128) {
            let (high, low) = halves(trace);
            assert_eq!(whole(high, low), trace);
        }
    }
}
