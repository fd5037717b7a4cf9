//! What is in a database: its catalogue and its rows, to be compared.

use serde_json::{Map, Value};
use sqlx::{PgConnection, Row};
use std::collections::BTreeMap;

/// Tables, views, columns, indexes, constraints, policies, triggers and functions, a line each. Partitions and chunks are left
/// out: they follow the rows.
const CATALOGUE: &str = "with t as (select c.* from pg_class c where c.relnamespace = current_schema()::regnamespace
        and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition),
    schema as (select quote_ident(current_schema()) || '.' as name)
select line from (
    select format('%s %s secured %s forced %s options %s', relkind, relname, relrowsecurity, relforcerowsecurity, reloptions) from t
    union all select format('column %s.%s %s not null %s identity %s default %s', t.relname, attname,
            format_type(atttypid, atttypmod), attnotnull, attidentity, pg_get_expr(adbin, adrelid))
        from t join pg_attribute a on a.attrelid = t.oid and attnum > 0 and not attisdropped
        left join pg_attrdef d on d.adrelid = t.oid and d.adnum = attnum
    union all select 'index ' || replace(pg_get_indexdef(indexrelid), schema.name, '') from t join pg_index i on indrelid = t.oid, schema
    union all select format('constraint %s.%s %s', t.relname, conname, replace(pg_get_constraintdef(c.oid), schema.name, ''))
        from t join pg_constraint c on conrelid = t.oid, schema
    union all select format('policy %s.%s %s %s %s %s', tablename, policyname, roles, cmd, replace(qual, schema.name, ''), with_check)
        from pg_policies, schema where schemaname = current_schema()
    union all select format('trigger %s.%s', t.relname, tgname) from t join pg_trigger on tgrelid = t.oid and not tgisinternal
    union all select 'function ' || replace(pg_get_functiondef(p.oid), schema.name, '') from pg_proc p, schema
        where pronamespace = current_schema()::regnamespace and prokind <> 'a' and not exists (
            select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    union all select format('view %s %s', relname,
            regexp_replace(replace(pg_get_viewdef(t.oid), schema.name, ''), 'hypertable_\\d+', 'hypertable_n', 'g'))
        from t, schema where relkind in ('v', 'm') and relname !~ '^pg_'
) lines (line) order by line collate \"C\"";

pub async fn catalogue(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(CATALOGUE).fetch_all(conn).await.unwrap()
}

/// Tables with rows of their own.
pub async fn tables(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') \
         and not relispartition and relname <> '_sqlx_migrations' order by relname",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

/// All rows, by table.
pub type Rows = BTreeMap<String, Vec<Map<String, Value>>>;

pub async fn rows(conn: &mut PgConnection) -> Rows {
    let mut all = Rows::new();
    for table in tables(conn).await {
        let rows = sqlx::query(&format!("select to_jsonb(t) as row from \"{table}\" t"))
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let rows = rows.iter().map(|row| match row.get("row") {
            Value::Object(columns) => columns,
            other => panic!("{other}"),
        });
        all.insert(table, rows.collect());
    }
    all
}

/// Tables without a row.
pub fn empty(rows: &Rows) -> Vec<&str> {
    let empty = rows.iter().filter(|(_, rows)| rows.is_empty());
    empty.map(|(table, _)| table.as_str()).collect()
}

/// A line a table with its name, how many rows it has, and a hash of them in whatever order they are.
pub async fn digests(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query("set timezone = 'UTC'").execute(&mut *conn).await.unwrap();
    let mut lines = Vec::new();
    for table in tables(conn).await {
        let (count, hash): (i64, String) = sqlx::query_as(&format!(
            "select count(*), encode(sha256(convert_to(coalesce(string_agg(line, E'\\n' order by line collate \"C\"), ''), \
             'UTF8')), 'hex') from (select to_jsonb(t)::text as line from \"{table}\" t) l"
        ))
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        lines.push(format!("{table} {count} {hash}"));
    }
    lines
}

/// Rows that are not in `after` any more, as far as their tables and columns are. `rewritten` columns are not compared.
pub fn lost(before: &Rows, after: &Rows, rewritten: &[(&str, &str)]) -> Vec<String> {
    let mut lost = Vec::new();
    for (table, old) in before {
        let Some(new) = after.get(table) else { continue };
        let is_compared = |name: &String| {
            !rewritten.contains(&(table.as_str(), name.as_str()))
                && new.first().is_some_and(|row| row.contains_key(name))
        };
        let key = |row: &Map<String, Value>, names: &[&String]| -> String {
            names.iter().map(|name| format!("{:?},", row.get(*name))).collect()
        };
        let names: Vec<&String> = old
            .first()
            .into_iter()
            .flat_map(Map::keys)
            .filter(|name| is_compared(name))
            .collect();
        let kept: std::collections::HashSet<String> = new.iter().map(|row| key(row, &names)).collect();
        let gone = old
            .iter()
            .filter(|row| new.is_empty() || !kept.contains(&key(row, &names)));
        lost.extend(gone.map(|row| format!("{table}: {row:?}")));
    }
    lost
}

/// What a reading says, a line each: where it is from, its trace, and its values up to the last that is there, in whatever form
/// the schema keeps them.
pub async fn readings(conn: &mut PgConnection) -> Vec<String> {
    let columns: Vec<String> = (1..=32).map(|n| format!("c{n}")).collect();
    let in_columns = format!(
        "(lpad(to_hex(trace_high), 16, '0') || lpad(to_hex(trace_low), 16, '0'))::uuid, array[{}] || more",
        columns.join(", ")
    );
    let are_columns: bool = sqlx::query_scalar(
        "select exists (select from pg_attribute where attrelid = 'telemetry'::regclass and attname = 'trace_high')",
    )
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    let what = if are_columns { &in_columns } else { "trace, v" };
    let rows: Vec<(i64, i64, uuid::Uuid, Vec<Option<i32>>)> = sqlx::query_as(&format!(
        "select appliance, ingest_no, {what} from telemetry order by appliance, ingest_no"
    ))
    .fetch_all(conn)
    .await
    .unwrap();
    let line = |(appliance, number, trace, mut values): (i64, i64, uuid::Uuid, Vec<Option<i32>>)| {
        while values.last() == Some(&None) {
            values.pop();
        }
        format!("{appliance} {number} {trace} {values:?}")
    };
    rows.into_iter().map(line).collect()
}
