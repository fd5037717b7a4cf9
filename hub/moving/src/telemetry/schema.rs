//! The columns of a telemetry file (Parquet format, "Logical Types").

use parquet::basic::{Compression, Encoding};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};
use std::sync::Arc;

/// `mark` is the row's own, see the module `seal`: its first four bytes.
const MESSAGE: &str = "message telemetry {
    required int64 appliance;
    required int64 ingest_no;
    required int64 at (TIMESTAMP(MICROS, true));
    required int64 received_at (TIMESTAMP(MICROS, true));
    optional int64 boot;
    optional int64 seq;
    required int32 tenant_no;
    required int32 partition (INTEGER(16, true));
    required int32 profile_no (INTEGER(16, true));
    optional int32 lane (INTEGER(16, true));
    required fixed_len_byte_array(16) trace (UUID);
    required group v (LIST) { repeated group list { optional int32 element; } }
    optional binary extra (JSON);
    required int32 mark;
}";

/// The schema.
pub(super) fn schema() -> Result<TypePtr> {
    parse_message_type(MESSAGE).map(Arc::new)
}

/// Numbers that grow are written as differences, and what never repeats without a dictionary.
pub(super) fn properties() -> WriterPropertiesPtr {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("forecall".to_owned());
    for column in ["ingest_no", "at", "received_at", "seq"] {
        properties = properties
            .set_column_dictionary_enabled(column.into(), false)
            .set_column_encoding(column.into(), Encoding::DELTA_BINARY_PACKED);
    }
    for column in ["trace", "mark"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    Arc::new(properties.build())
}
