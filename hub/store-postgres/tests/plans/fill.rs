//! A database that holds much: readings of many weeks, half of them named in `late`, and beside them everything that grows
//! with devices or with time. Written by SQL, as if the hub had stored, scored, counted and aggregated all of it.
//!
//! Appliance and partition follow from a number, and so do a row's place and time. Of each partition the rows that came in
//! time have the first numbers, round by round, and those that came late have the next ones.

use hub_core::id::ApplianceId;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Executor, PgConnection};

/// The start of every sequence.
const BOOT: u64 = 7;
/// The first number of rows that came late; between it and the rows that came in time there is a hole.
const LATE_FROM: u64 = 10_000;
/// What came late is spread over the weeks from this one back …
const LATE_WEEKS_FROM: i64 = 2;
/// … but for as many of the oldest ones. So is what no retention rule of [`keep`] reaches.
const LATE_WEEKS_LEFT: i64 = 14;
/// Partitions of which nothing late is aggregated yet; of the others it is.
const BEHIND: i16 = 16;
/// Where an appliance's reading lies between two rounds, of 256 places: whichever appliances are asked for, each week has
/// readings of some.
const PHASE: &str = "(a.place * 37 + a.partition * 61) % 256";

/// Each filled appliance with its place in its partition.
const FILLED: &str = "(select id, tenant_no, partition, row_number() over (partition by partition order by id) as place \
    from appliance where device like 'filled-%') a";
/// What is told of each.
const WATCHING: &str = r#"{"state": "watched", "since": null, "calibrated": 42, "calibration": 42, "every_ms": 0, "needs_ms": 0,
    "missing": 0, "channels": 3, "several_states": false, "unjudged": {}}"#;
/// What a challenger has said of each.
const SAID: &str = r#"{"count": 0, "newest": []}"#;
/// The number of a sequence as `sequence` has it.
const LOW: &str = "(-9223372036854775808)::bigint";
const COLUMNS: &str = "appliance, ingest_no, at, received_at, boot, seq, trace_high, trace_low, tenant_no, partition, \
    profile_no, lane, c1, c2, c3";
/// Tables that grow; `telemetry` stands for its parts.
const GROWING: &str = "telemetry, late, sequence, checkpoint, watching, shadow, appliance, appliance_status, device_day, \
    fleet_hour, mqtt_session, score_month, finding, ticket, appointment, timeline, attempt, household, person, phone";
/// Every table of this database that has rows of its own, and the hypertable's parts, which are in a schema of their own.
const TABLES: &str = "select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace \
    where c.relkind in ('r', 'p') and (n.nspname = current_schema() or c.relname ~ '^(_hyper_|compress_hyper_)')";

/// How much it holds. Rounds are rows of each appliance.
pub struct Size {
    pub weeks: i64,
    /// A multiple of 256, and so many that no table of theirs is best read as a whole.
    pub appliances: i64,
    /// In time, over all weeks but the newest.
    pub old: i64,
    /// In time, in the newest week.
    pub new: i64,
    /// Late, of appliances whose partitions are aggregated.
    pub late: i64,
    /// Late, of the other appliances.
    pub behind: i64,
}

impl Size {
    /// A million rows over two years, an eighth of them in the newest week; half a million came late, some of which are
    /// not aggregated.
    pub const NATIVE: Self = Self {
        weeks: 104,
        appliances: 25_600,
        old: 15,
        new: 5,
        late: 20,
        behind: 9,
    };

    /// When its oldest week starts.
    pub fn oldest(&self) -> Timestamp {
        newest_week() - weeks(self.weeks - 1)
    }

    fn in_time(&self) -> i64 {
        self.old + self.new
    }

    /// Appliances of each partition.
    fn share(&self) -> i64 {
        self.appliances / 256
    }
}

fn weeks(weeks: i64) -> SignedDuration {
    SignedDuration::from_hours(7 * 24 * weeks)
}

/// When the load begins: within the newest week.
pub fn now() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

/// When the newest week starts.
fn newest_week() -> Timestamp {
    "2026-02-26T00:00:00Z".parse().unwrap()
}

/// Takes statistics while nothing is stored. Afterwards nobody but the tests takes any.
pub async fn take_statistics_while_empty(sql: &mut PgConnection) {
    sql.execute(format!("analyze {GROWING}, scored, rolled, aggregated").as_str())
        .await
        .unwrap();
}

/// On a server that would take statistics by itself.
pub async fn switch_autovacuum_off(sql: &mut PgConnection) {
    let statement = format!(
        "do $$ declare name regclass; begin \
           for name in select c.oid from pg_class c where c.oid in ({TABLES}) and c.relkind = 'r' \
             and c.relname not in ('scored', 'rolled', 'aggregated', 'lease') \
           loop execute format('alter table %s set (autovacuum_enabled = false)', name); end loop; end $$"
    );
    sql.execute(statement.as_str()).await.unwrap();
}

/// Appliances of one tenant, each with its status; `now()` is when they were declared.
pub async fn appliances(sql: &mut PgConnection, size: &Size) {
    let (count, at) = (size.appliances, now());
    let statements = [
        format!(
            "insert into appliance (tenant, tenant_no, device, partition, profile, created_at) \
             select t.id, t.no, 'filled-' || n, n % 256, 'washing-machine', '{at}' \
             from tenant t, generate_series(0, {count} - 1) n where t.id = 'acme' order by n"
        ),
        "insert into appliance_status (appliance) select id from appliance where device like 'filled-%' order by id"
            .to_owned(),
    ];
    for statement in statements {
        sql.execute(statement.as_str()).await.unwrap();
    }
}

/// Some of them, each of a partition of its own of which all is aggregated.
pub async fn devices(sql: &mut PgConnection, count: i64) -> Vec<ApplianceId> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "select id from appliance where device like 'filled-%' and partition >= $1 order by id limit $2",
    )
    .bind(BEHIND)
    .bind(count)
    .fetch_all(sql)
    .await
    .unwrap();
    ids.into_iter().map(ApplianceId).collect()
}

/// Takes away what a load has left that was tried before anything was stored. Not truncated: the server would plan again
/// what it has planned while the tables were empty.
pub async fn wipe(sql: &mut PgConnection) {
    for table in [
        "telemetry",
        "late",
        "sequence",
        "checkpoint",
        "device_day",
        "fleet_hour",
        "mqtt_session",
        "inbound_packet",
        "appliance_birth",
        "firmware",
        "watching",
        "score_month",
        "shadow",
    ] {
        sql.execute(format!("delete from {table}").as_str()).await.unwrap();
    }
}

/// Fills the tables, and compresses what a hub's database would have compressed.
pub async fn fill(sql: &mut PgConnection, size: &Size, is_hypertable: bool) {
    let mut statements = vec![rows_in_time(size)];
    let late = [("partition >= 16", size.late), ("partition < 16", size.behind)];
    statements.extend(late.iter().map(|(which, rounds)| rows_late(size, which, *rounds)));
    statements.extend(name_late());
    statements.extend(offsets(size));
    statements.extend(beside(size));
    statements.extend(desk());
    if is_hypertable {
        let before = now() - weeks(2);
        statements.push(format!(
            "select compress_chunk(chunk, true) from show_chunks('telemetry', older_than => '{before}'::timestamptz) chunk"
        ));
    }
    for statement in statements {
        sql.execute(statement.as_str())
            .await
            .unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
}

/// Each was received a second after it was measured; the last ones four hours before the load begins.
fn rows_in_time(size: &Size) -> String {
    let (share, old, rounds, start) = (size.share(), size.old, size.in_time(), newest_week());
    let old_s = weeks(size.weeks - 1).as_secs() / old;
    let last = now() - SignedDuration::from_hours(4);
    let new_s = last.duration_since(start).as_secs() / size.new;
    format!(
        "insert into telemetry ({COLUMNS}) \
         select a.id, r * {share} + a.place, t.at, t.at + interval '1 second', {BOOT}, r, {BOOT}, r, a.tenant_no, \
           a.partition, {PROFILE}, 0, r, 2, 3 \
         from generate_series(0, {rounds} - 1) r \
         cross join lateral (select case when r < {old} then {old_s} else {new_s} end as every) m \
         cross join {FILLED} \
         cross join lateral (select '{start}'::timestamptz \
           + make_interval(secs => (r - {old}) * m.every + {PHASE} * m.every / 256) as at) t \
         order by r, a.id"
    )
}

/// The newest version of the profile.
const PROFILE: &str = "(select max(no) from profile_version where name = 'washing-machine')";

/// Received within an hour, from three hours before the load begins.
fn rows_late(size: &Size, which: &str, rounds: i64) -> String {
    let (share, in_time) = (size.share(), size.in_time());
    let newest = newest_week() - weeks(LATE_WEEKS_FROM);
    let span_s = weeks(size.weeks - LATE_WEEKS_LEFT - LATE_WEEKS_FROM).as_secs();
    let received = now() - SignedDuration::from_hours(3);
    let (every_s, sent_s) = (span_s / rounds.max(1), 3_600.0 / rounds.max(1) as f64);
    format!(
        "insert into telemetry ({COLUMNS}) \
         select a.id, ({in_time} + q) * {share} + a.place, \
           '{newest}'::timestamptz - make_interval(secs => q * {every_s} + {PHASE} * {every_s} / 256), \
           '{received}'::timestamptz + make_interval(secs => q * {sent_s}), {BOOT}, {LATE_FROM} + q, {BOOT}, q, a.tenant_no, \
           a.partition, {PROFILE}, 0, q, 2, 3 \
         from generate_series(0, {rounds} - 1) q cross join {FILLED} where a.{which} order by q, a.id"
    )
}

/// Names the rows that came late, and notes aside those of them that all readers have passed.
fn name_late() -> [String; 2] {
    [
        format!(
            "insert into late (partition, ingest_no, appliance, at) \
             select partition, ingest_no, appliance, at from telemetry where boot = {BOOT} and seq >= {LATE_FROM}"
        ),
        format!(
            "create temporary table passed as select partition, ingest_no, appliance, at from late where partition >= {BEHIND}"
        ),
    ]
}

/// What one hub's upkeep has taken out of `late` is there for the next one's. On the connection that has filled the tables.
pub async fn name_late_again(sql: &mut PgConnection) {
    // As autovacuum would have done it meanwhile.
    sql.execute("vacuum late").await.unwrap();
    sql.execute(
        "insert into late (partition, ingest_no, appliance, at) \
         select partition, ingest_no, appliance, at from passed on conflict do nothing",
    )
    .await
    .unwrap();
}

/// All readers have read all, but for the aggregates of the partitions that are behind.
fn offsets(size: &Size) -> Vec<String> {
    let (share, in_time) = (size.share(), size.in_time());
    let late = format!(
        "case when partition < {BEHIND} then {} else {} end",
        size.behind, size.late
    );
    let (seen, seen_behind) = (
        now() - SignedDuration::from_hours(2),
        now() - SignedDuration::from_hours(4),
    );
    let all =
        |table: &str| format!("update {table} set ingest_no = ({in_time} + {late}) * {share}, seen_at = '{seen}'");
    let mut statements = ["scored", "rolled", "aggregated"].map(all).to_vec();
    statements.push("update scored set kept_no = ingest_no, kept_seen_at = seen_at".to_owned());
    if size.behind > 0 {
        statements.push(format!(
            "update aggregated set ingest_no = {in_time} * {share}, seen_at = '{seen_behind}' where partition < {BEHIND}"
        ));
    }
    statements
}

/// What is not readings.
fn beside(size: &Size) -> Vec<String> {
    let (now, day, in_time) = (now(), newest_week(), size.in_time());
    let late = format!(
        "case when a.partition < {BEHIND} then {} else {} end",
        size.behind, size.late
    );
    let hours = size.weeks * 7 * 24;
    vec![
        format!(
            "insert into sequence (appliance, boot, lane, stored, used_at) \
             select a.id, {BOOT}, 0, int8multirange(int8range({LOW}, {LOW} + {in_time}), \
               int8range({LOW} + {LATE_FROM}, {LOW} + {LATE_FROM} + {late})), '{now}' from {FILLED}"
        ),
        format!(
            "insert into sequence (appliance, boot, lane, stored, used_at) \
             select a.id, 100 + n, 0, int8multirange(int8range({LOW}, {LOW} + 50)), '{now}'::timestamptz - interval '30 days' \
             from {FILLED} cross join generate_series(1, 2) n"
        ),
        format!(
            "insert into checkpoint (appliance, model, state, saved_at) \
             select a.id, 'washing-machine/1', convert_to(repeat(md5(a.id::text), 20), 'UTF8'), '{now}' from {FILLED}"
        ),
        format!(
            "insert into device_day (appliance, profile_no, day, channel, count, sum, low, high) \
             select a.id, {PROFILE}, '{day}'::timestamptz - make_interval(days => n), array[1, 2, 3], array[2, 2, 2], \
               array[1, 4, 6], array[0, 2, 3], array[1, 2, 3] from {FILLED} cross join generate_series(1, 3) n"
        ),
        format!(
            "insert into fleet_hour (tenant_no, profile_no, hour, channel, count, sum, min, max) \
             select t.no, {PROFILE}, '{day}'::timestamptz - make_interval(hours => n), c, 9, 9, 1, 1 \
             from tenant t, generate_series(1, {hours}) n, generate_series(1, 3) c where t.id = 'acme'"
        ),
        format!(
            "insert into mqtt_session (appliance, expiry_s, subscriptions, kept_at) \
             select a.id, 3600, '[[\"d/wm-1/c/+\", 1]]'::jsonb, '{now}'::timestamptz from {FILLED}"
        ),
        format!("insert into inbound_packet (appliance, packet_id) select a.id, 1 from {FILLED}"),
        format!("insert into watching (appliance, told) select a.id, '{WATCHING}' from {FILLED}"),
        // Months of two families, counted from January of the year 0; the newest is February 2026.
        format!(
            "insert into score_month (tenant, appliance, family, month, score) \
             select 'acme', a.id, family, month, 0.5 from {FILLED} \
             cross join unnest(array['tumble-dryer', 'washing-machine']) family cross join generate_series(24310, 24313) month"
        ),
        "insert into budget (tenant, family, ledger, revision) values ('acme', 'washing-machine', '{}', 1) \
         on conflict do nothing"
            .to_owned(),
        "insert into budget_model (tenant, family, model, entry) \
         select 'acme', 'washing-machine', model, '{}' from unnest(array['', 'WM7']) model on conflict do nothing"
            .to_owned(),
        format!(
            "insert into shadow (family, appliance, told, judged_from) select 'washing-machine', a.id, '{SAID}', '{now}' from {FILLED}"
        ),
        format!(
            "insert into appliance_birth (appliance, at, boot, model, firmware, sdk, reset, takes_cbor, settings, \
               dropped_events, dropped_telemetry, dropped_events_in_all, dropped_telemetry_in_all) \
             select a.id, '{now}'::timestamptz, {BOOT}, 'WM7', '1.4.2', '0.1.0', 'power_on', true, 1, 0, 0, 0, 0 from {FILLED}"
        ),
        format!(
            "insert into firmware (appliance, told, told_at, baseline, restarts) \
             select a.id, '1.4.2', '{now}'::timestamptz, '1.4.2', 0 from {FILLED}"
        ),
    ]
}

/// What a service desk has done: of each appliance a ticket that was closed a year ago, with its finding, a visit, a line and a call to
/// its owner. And another tenant whose tickets wait for approvals, as many.
fn desk() -> Vec<String> {
    let at = now() - SignedDuration::from_hours(365 * 24);
    let (id, open) = ("lpad(to_hex(a.id), 32, '0')::uuid", format!("'{at}'::timestamptz"));
    vec![
        format!(
            "insert into household (id, tenant, name_in_tenant, key, zone) \
             select {id}, 'acme', 'owner-' || a.id, '\\x00', 'Asia/Shanghai' from {FILLED}"
        ),
        format!(
            "insert into person (id, tenant, household, name_in_household, name, language, rank) \
             select {id}, 'acme', {id}, 'owner', 'Owner', 'en', 0 from {FILLED}"
        ),
        format!(
            "insert into phone (person, rank, tenant, number, number_index, canonical) \
             select {id}, 0, 'acme', '\\x00', decode(lpad(to_hex(a.id), 64, '0'), 'hex'), true from {FILLED}"
        ),
        format!(
            "insert into finding (id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, \
               prediction, evidence, ticket, trace) \
             select {id}, 'acme', a.id, 'drum_bearing', 'cleared', {open}, {open}, {open}, 1, '{{}}', '{{}}', {id}, {id} \
             from {FILLED}"
        ),
        format!(
            "insert into ticket (id, number, tenant, appliance, kind, finding, fault_class, severity, category, label, \
               contact_phase, opened_at, closed_at, trace) \
             select {id}, 1000000 + a.id, 'acme', a.id, 'predicted_fault', {id}, 'drum_bearing', 'major', 'resolved', 'closed', 'done', \
               {open}, {open}, {id} \
             from {FILLED}"
        ),
        format!(
            "insert into ticket (id, number, tenant, appliance, kind, category, label, contact_phase, contact_reason, \
               opened_at, trace) \
             select lpad('b' || lpad(to_hex(a.id), 8, '0'), 32, '0')::uuid, 1000000 + a.id, 'beta', a.id, 'repair', 'open', 'open', \
               'held', 'ready_to_ring', {open}, {id} \
             from {FILLED}"
        ),
        format!(
            "insert into timeline (tenant, ticket, at, actor, event) \
             select 'acme', {id}, {open}, 'hub', '{{\"event\": \"taken\"}}' from {FILLED}"
        ),
        format!(
            "insert into appointment (id, tenant, ticket, state, slot_start, slot_end, service_point, agreed_by, made_at, \
               changed_at) \
             select {id}, 'acme', {id}, 'done', {open}, {open}, 'pudong', 'hub', {open}, {open} from {FILLED}"
        ),
        format!(
            "insert into attempt (id, tenant, ticket, owner, direction, state, started_at, ended_at, result, trace) \
             select {id}, 'acme', {id}, {id}, 'outbound', 'ended', {open}, {open}, 'answered', {id} from {FILLED}"
        ),
    ]
}

/// Readings are kept for so long that some of the oldest weeks go, and six days of the next one; with each load a week
/// less.
pub async fn keep(sql: &mut PgConnection, size: &Size, load: u64) {
    let days = (size.weeks - 4) * 7 + 5 - 7 * i64::try_from(load).unwrap();
    let statement = format!(
        "insert into retention (tenant, profile, days) select id, '', {days} from tenant \
         on conflict (tenant, profile) do update set days = excluded.days"
    );
    sql.execute(statement.as_str()).await.unwrap();
}

/// What the server knows of the tables when it plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// As they were taken before anything was stored.
    Empty,
    /// None were ever taken.
    Never,
    /// Of each part, as autovacuum takes them, which never looks at a table of parts as a whole.
    Leaves,
}

impl Statistics {
    /// Makes it so, whatever was before.
    pub async fn take(self, sql: &mut PgConnection) {
        match self {
            Self::Empty => forget(sql, 0).await,
            Self::Never => forget(sql, -1).await,
            Self::Leaves => of_leaves(sql).await,
        }
    }
}

/// Leaves of each table that grows what is there when statistics were taken of it without a row (0 rows), or never (−1).
async fn forget(sql: &mut PgConnection, rows: i32) {
    let small = "'scored'::regclass, 'rolled'::regclass, 'aggregated'::regclass";
    for statement in [
        format!("delete from pg_statistic where starelid in ({TABLES}) and starelid not in ({small})"),
        format!(
            "update pg_class set relpages = 0, reltuples = {rows}, relallvisible = 0 \
             where oid in ({TABLES}) and oid not in ({small})"
        ),
    ] {
        sql.execute(statement.as_str()).await.unwrap();
    }
}

async fn of_leaves(sql: &mut PgConnection) {
    let leaves: Vec<String> = sqlx::query_scalar(&format!(
        "select c.oid::regclass::text from pg_class c where c.oid in ({TABLES}) and c.relkind = 'r' \
           and c.oid <> 'telemetry'::regclass order by 1"
    ))
    .fetch_all(&mut *sql)
    .await
    .unwrap();
    // A fifth of the sample that is usual: it is about which tables are known.
    sql.execute("set default_statistics_target = 20").await.unwrap();
    for leaf in leaves {
        sql.execute(format!("analyze {leaf}").as_str()).await.unwrap();
    }
}
