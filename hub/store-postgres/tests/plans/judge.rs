//! Whether a statement has read more than its own rows, by its plan as `auto_explain` writes it in JSON.
//!
//! Two things are refused. A table that grows with what is stored is read as a whole, or a part of it is: a week, a chunk.
//! A part without a block is none. And more blocks are touched than [`BLOCKS`] and [`BLOCKS_EACH`] for every row or
//! partition asked for: what the step of the load asks for, or the rows that came back or were let through by a limit that
//! the statement names, and every row that was written for them. Rows that were looked at and thrown away count for nothing.
//!
//! Not judged: what looks at the catalogue alone, and how TimescaleDB refreshes its own aggregates.

use serde_json::Value;

/// Blocks that any statement may touch …
const BLOCKS: u64 = 100;
/// … and for each row or partition that it asks for.
const BLOCKS_EACH: u64 = 10;
/// Characters of a statement that are shown.
const SHOWN: usize = 200;

/// Tables that may consist of parts, whose names begin like theirs.
const IN_PARTS: [&str; 2] = ["telemetry", "late"];
/// The others that grow with devices or with time.
const WHOLE: [&str; 21] = [
    "score_month",
    "sequence",
    "checkpoint",
    "appliance",
    "appliance_status",
    "appliance_birth",
    "firmware",
    "watching",
    "shadow",
    "device_day",
    "fleet_hour",
    "mqtt_session",
    "inbound_packet",
    "finding",
    "ticket",
    "appointment",
    "timeline",
    "attempt",
    "household",
    "person",
    "phone",
];
/// How names of TimescaleDB's chunks begin.
const CHUNKS: [&str; 2] = ["_hyper_", "compress_hyper_"];
/// How names of the tables behind its aggregates begin.
const MATERIALISED: &str = "_materialized_hypertable_";

/// What is wrong with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Its first characters.
    pub statement: String,
    /// Blocks that it touched, and that it might have.
    pub blocks: u64,
    pub allowed: u64,
    /// What it did, by node.
    pub why: Vec<String>,
}

/// Judges one statement of a step that asks for `asked` rows, partitions or appliances.
pub fn judge(plan: &str, asked: u64) -> Option<Complaint> {
    let said: Value = serde_json::from_str(plan).expect("auto_explain writes JSON");
    let root = &said["Plan"];
    let mut nodes = Vec::new();
    collect(root, &mut nodes);
    if is_the_servers_own(&nodes) {
        return None;
    }
    let mut whole: Vec<&Value> = nodes.iter().copied().filter(|node| reads_the_whole(node)).collect();
    whole.sort_by_key(|node| std::cmp::Reverse(blocks(node)));
    let mut why: Vec<String> = whole.first().map(|node| shown(node)).into_iter().collect();
    if whole.len() > 1 {
        why.push(format!("and {} more of these", whole.len() - 1));
    }
    let touched = blocks(root) + behind_the_root(&nodes);
    let allowed = BLOCKS + BLOCKS_EACH * (asked_for(root, &nodes).max(asked) + written(&nodes));
    if touched > allowed {
        let worst = nodes.iter().max_by_key(|node| own_blocks(node));
        why.extend(worst.map(|node| format!("most blocks: {}", shown(node))));
    }
    (!why.is_empty()).then(|| Complaint {
        statement: text(&said),
        blocks: touched,
        allowed,
        why,
    })
}

fn collect<'a>(node: &'a Value, nodes: &mut Vec<&'a Value>) {
    nodes.push(node);
    for child in children(node) {
        collect(child, nodes);
    }
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node["Plans"].as_array().into_iter().flatten()
}

fn word<'a>(node: &'a Value, key: &str) -> &'a str {
    node[key].as_str().unwrap_or_default()
}

fn number(node: &Value, key: &str) -> u64 {
    // Servers from 18 on tell the mean of several runs with its fraction.
    node[key].as_f64().unwrap_or(0.0).ceil() as u64
}

/// Blocks touched by a node and all below it, whether they were in memory or not.
fn blocks(node: &Value) -> u64 {
    number(node, "Shared Hit Blocks") + number(node, "Shared Read Blocks")
}

/// Blocks touched by the node itself.
fn own_blocks(node: &Value) -> u64 {
    blocks(node).saturating_sub(children(node).map(blocks).sum())
}

/// Rows that a node gave, in all of its runs.
fn rows(node: &Value) -> u64 {
    let runs = node["Actual Loops"].as_f64().unwrap_or(0.0);
    (node["Actual Rows"].as_f64().unwrap_or(0.0) * runs).ceil() as u64
}

fn reads_the_whole(node: &Value) -> bool {
    word(node, "Node Type") == "Seq Scan" && grows(word(node, "Relation Name")) && blocks(node) > 0
}

fn grows(table: &str) -> bool {
    let is_of = |whole: &str| {
        let rest = table.strip_prefix(whole);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    WHOLE.contains(&table)
        || IN_PARTS.iter().any(|whole| is_of(whole))
        || CHUNKS.iter().any(|start| table.starts_with(start))
}

fn is_the_servers_own(nodes: &[&Value]) -> bool {
    let named = nodes.iter().map(|node| word(node, "Relation Name"));
    let tables: Vec<&str> = named.filter(|name| !name.is_empty()).collect();
    let is_catalogue = !tables.is_empty() && tables.iter().all(|table| table.starts_with("pg_"));
    is_catalogue || tables.iter().any(|table| table.starts_with(MATERIALISED))
}

fn of_kind<'a>(nodes: &[&'a Value], kind: &'static str) -> impl Iterator<Item = &'a Value> {
    nodes
        .iter()
        .copied()
        .filter(move |node| word(node, "Node Type") == kind)
}

/// Rows that came back, or that a limit let through.
fn asked_for(root: &Value, nodes: &[&Value]) -> u64 {
    let limited = of_kind(nodes, "Limit").map(rows).max().unwrap_or(0);
    rows(root).max(limited)
}

/// Rows that were changed.
fn written(nodes: &[&Value]) -> u64 {
    of_kind(nodes, "ModifyTable").map(changed).sum()
}

/// Rows that a node writes or deletes: those that it is given.
fn changed(node: &Value) -> u64 {
    let given = children(node).filter(|child| word(child, "Parent Relationship") == "Outer");
    given.map(rows).sum()
}

/// A part of a `with` that writes and that nothing reads is run after the root, which does not count its blocks.
fn behind_the_root(nodes: &[&Value]) -> u64 {
    let is_read = |name: &str| nodes.iter().any(|node| word(node, "CTE Name") == name);
    let writes = nodes.iter().filter(|node| word(node, "Node Type") == "ModifyTable");
    let unread = writes.filter(|node| {
        let name = word(node, "Subplan Name").strip_prefix("CTE ");
        name.is_some_and(|name| !is_read(name))
    });
    unread.map(|node| blocks(node)).sum()
}

fn shown(node: &Value) -> String {
    let mut shown = word(node, "Node Type").to_owned();
    for (before, key) in [(" on ", "Relation Name"), (" by ", "Index Name")] {
        let name = word(node, key);
        if !name.is_empty() {
            shown = shown + before + name;
        }
    }
    let runs = number(node, "Actual Loops");
    let removed = ["Rows Removed by Filter", "Rows Removed by Join Filter"].map(|key| number(node, key));
    format!(
        "{shown}: {} blocks of its own, {} rows in {runs} runs, {} thrown away in each",
        own_blocks(node),
        rows(node),
        removed.iter().sum::<u64>()
    )
}

fn text(said: &Value) -> String {
    let words: Vec<&str> = word(said, "Query Text").split_whitespace().collect();
    words.join(" ").chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(plan: &Value, asked: u64) -> Option<Complaint> {
        judge(
            &json!({"Query Text": "select  1\n from x", "Plan": plan}).to_string(),
            asked,
        )
    }

    fn scan(kind: &str, table: &str, rows: u64, blocks: u64) -> Value {
        json!({"Node Type": kind, "Relation Name": table, "Parent Relationship": "Outer", "Actual Rows": rows,
            "Actual Loops": 1, "Shared Hit Blocks": blocks / 2, "Shared Read Blocks": blocks - blocks / 2})
    }

    fn above(kind: &str, rows: u64, below: &[Value]) -> Value {
        let blocks: u64 = below.iter().map(blocks).sum();
        json!({"Node Type": kind, "Actual Rows": rows, "Actual Loops": 1, "Shared Hit Blocks": blocks, "Plans": below})
    }

    #[test]
    fn a_table_that_grows_is_never_read_as_a_whole() {
        for table in [
            "telemetry",
            "telemetry_20260226",
            "_hyper_1_7_chunk",
            "compress_hyper_2_9_chunk",
            "late",
            "appliance_status",
            "checkpoint",
        ] {
            let below = above("Append", 1, &[scan("Seq Scan", table, 1, 1)]);
            let complaint = judged(&above("Aggregate", 1, &[below]), 1_000).unwrap();
            assert!(complaint.why[0].starts_with(&format!("Seq Scan on {table}: 1 blocks")));
            assert_eq!(complaint.statement, "select 1 from x");
        }
        for table in ["scored", "rolled", "lease", "latency", "appliance_state"] {
            assert_eq!(judged(&scan("Seq Scan", table, 256, 50), 1), None, "{table}");
        }
        // A week that is made ahead of time holds nothing.
        assert_eq!(judged(&scan("Seq Scan", "telemetry_20260305", 0, 0), 1), None);
        assert_eq!(judged(&scan("Index Scan", "telemetry_20260226", 8, 40), 8), None);
    }

    #[test]
    fn blocks_are_bound_by_what_is_asked_for() {
        let index = |rows, blocks| scan("Index Scan", "telemetry_20260226", rows, blocks);
        let counted = |rows, blocks| above("Aggregate", 1, &[index(rows, blocks)]);
        assert_eq!(judged(&counted(8, 180), 8), None);
        let complaint = judged(&counted(8, 181), 8).unwrap();
        assert_eq!((complaint.blocks, complaint.allowed), (181, 180));
        assert!(complaint.why[0].contains("most blocks: Index Scan on telemetry_20260226: 181 blocks"));
        // Rows that were read are no rows that were asked for.
        assert!(judged(&counted(100_000, 2_000), 8).is_some());
        // What came back is, and what was changed, and what a limit let through.
        assert_eq!(judged(&index(200, 2_000), 8), None);
        assert_eq!(judged(&above("ModifyTable", 0, &[index(200, 2_000)]), 8), None);
        assert_eq!(
            judged(&above("Aggregate", 1, &[above("Limit", 200, &[index(200, 2_000)])]), 8),
            None
        );
    }

    #[test]
    fn what_is_written_behind_the_root_counts() {
        let with = |blocks: u64, read: &str| {
            let mut written = above("ModifyTable", 0, &[scan("Index Scan", "late", 1, blocks)]);
            written["Subplan Name"] = json!("CTE gone");
            written["Parent Relationship"] = json!("InitPlan");
            let reader = json!({"Node Type": "CTE Scan", "CTE Name": read, "Parent Relationship": "Outer"});
            json!({"Node Type": "Aggregate", "Actual Rows": 1, "Actual Loops": 1, "Shared Hit Blocks": 10,
                "Plans": [written, reader]})
        };
        // One row is asked for, and one is written for it.
        assert_eq!(judged(&with(110, "other"), 1), None);
        assert_eq!(judged(&with(111, "other"), 1).unwrap().blocks, 121);
        assert_eq!(judged(&with(111, "gone"), 1), None, "the root has counted it");
    }

    #[test]
    fn the_servers_own_statements_are_left_alone() {
        assert_eq!(judged(&scan("Seq Scan", "pg_class", 5, 5_000), 1), None);
        let refreshed = above("ModifyTable", 0, &[scan("Seq Scan", "_hyper_1_7_chunk", 1, 5_000)]);
        assert!(judged(&refreshed, 1).is_some());
        let mut own = refreshed;
        own["Relation Name"] = json!("_materialized_hypertable_3");
        assert_eq!(judged(&own, 1), None);
        let both = above(
            "Nested Loop",
            1,
            &[scan("Seq Scan", "pg_class", 1, 1), scan("Seq Scan", "late", 1, 1)],
        );
        assert!(judged(&both, 1).is_some());
    }
}
