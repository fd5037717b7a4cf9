//! A row of `telemetry` on its way into the table, and which columns a statement names for it.

use super::columns::COLUMNS;
use hub_core::id::TraceId;
use jiff::Timestamp;
use std::fmt::Write;
use std::sync::OnceLock;

/// Columns of every row, before and behind those of its values: all in the table's order.
const BEFORE: &str = "appliance, ingest_no, at, received_at, boot, seq, trace_high, trace_low, tenant_no";
const BEHIND: &str = "partition, profile_no, lane";
const OF_EVERY_ROW: i16 = 12;

/// With up to so many rows a COPY names no columns, and each row has all.
const UNNAMED_MAX: usize = 80;

/// One row of `telemetry`.
pub(super) struct CopyRow<'a> {
    pub appliance: i64,
    pub tenant_no: i32,
    pub partition: i16,
    pub profile_no: i16,
    pub ingest_no: i64,
    pub at: Timestamp,
    pub received_at: Timestamp,
    /// Boot, lane, number; JSON has none.
    pub sequence: Option<(i64, i16, i64)>,
    pub trace: TraceId,
    pub values: &'a [Option<i32>],
    pub extra: Option<String>,
}

/// Which columns a statement names: what no row of it has is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Channels with a column of their own, from the first on; at most [`COLUMNS`].
    pub(super) values: usize,
    pub(super) has_more: bool,
    pub(super) has_extra: bool,
}

/// Statements that store rows of one shape: made once, since a device that waits for its acknowledgement would wait for that
/// as well.
pub(super) struct Texts {
    pub(super) one: OnceLock<String>,
    pub(super) copy: OnceLock<String>,
}

impl Texts {
    const fn new() -> Self {
        Self {
            one: OnceLock::new(),
            copy: OnceLock::new(),
        }
    }
}

/// By how many values have columns, and by which of the other columns are there.
static TEXTS: [[Texts; 4]; COLUMNS + 1] = [const { [const { Texts::new() }; 4] }; COLUMNS + 1];

impl Shape {
    pub(super) fn of(rows: &[CopyRow<'_>]) -> Self {
        let longest = rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
        Self {
            values: longest.min(COLUMNS),
            has_more: longest > COLUMNS,
            has_extra: rows.iter().any(|row| row.extra.is_some()),
        }
    }

    /// With every column that there is.
    pub(super) const WHOLE: Self = Self {
        values: COLUMNS,
        has_more: true,
        has_extra: true,
    };

    pub(super) fn columns(self) -> String {
        let mut columns = BEFORE.to_owned();
        for id in 1..=self.values {
            // Writing to a string does not fail.
            let _ = write!(columns, ", c{id}");
        }
        columns = columns + ", " + BEHIND;
        for (name, is_there) in [("more", self.has_more), ("extra", self.has_extra)] {
            if is_there {
                columns = columns + ", " + name;
            }
        }
        columns
    }

    /// What a COPY of these rows writes. To read a list of columns takes the server as long as eighty rows' nulls.
    pub(super) fn of_copy(rows: &[CopyRow<'_>]) -> Self {
        if rows.len() <= UNNAMED_MAX {
            Self::WHOLE
        } else {
            Self::of(rows)
        }
    }

    pub(super) fn statement(self) -> String {
        let columns = (self != Self::WHOLE).then(|| format!(" ({})", self.columns()));
        format!(
            "copy telemetry{} from stdin with (format binary)",
            columns.unwrap_or_default()
        )
    }

    /// Where the texts of this shape are kept.
    pub(super) fn texts(self) -> &'static Texts {
        &TEXTS[self.values][usize::from(self.has_more) + 2 * usize::from(self.has_extra)]
    }

    pub(super) fn fields(self) -> i16 {
        // At most 46.
        OF_EVERY_ROW + self.values as i16 + i16::from(self.has_more) + i16::from(self.has_extra)
    }
}

/// Fields of a row with every column.
pub(super) const FIELDS: usize = OF_EVERY_ROW as usize + COLUMNS + 2;
