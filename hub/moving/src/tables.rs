//! Every table of the database: moved row by row, moved as telemetry, or left behind for a reason. In the order in which
//! rows can be put in, as foreign keys ask for it. A test compares this with the catalogue.

/// A table that is moved row by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// `name:type`, types as the database writes them.
    columns: &'static str,
    /// What rows are ordered by; unique.
    pub(crate) key: &'static str,
    /// The column that is numbered by the database, if there is one.
    pub(crate) numbered: Option<&'static str>,
    /// A new database has rows in it, which give way.
    pub(crate) seeded: bool,
}

/// A column as it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// As the database writes it.
    pub(crate) sql_type: &'static str,
}

/// How a value stands in a line of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As the database writes it, in quotes.
    Text,
    /// A number.
    Number,
    /// true or false.
    Truth,
    /// JSON itself.
    Json,
}

impl Column {
    pub(crate) fn shape(self) -> Shape {
        match self.sql_type {
            "bigint" | "integer" | "smallint" | "double precision" | "real" | "numeric" => Shape::Number,
            "boolean" => Shape::Truth,
            "jsonb" => Shape::Json,
            _ => Shape::Text,
        }
    }
}

impl Table {
    pub(crate) fn columns(&self) -> Vec<Column> {
        let split = |text: &'static str| text.split_once(':');
        let columns = self.columns.split(", ").filter_map(split);
        columns.map(|(name, sql_type)| Column { name, sql_type }).collect()
    }

    /// Names, for a statement.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.columns().iter().map(|column| column.name).collect();
        names.join(", ")
    }
}

/// A table of which no row is moved, and why.
pub(crate) type Stays = (&'static str, &'static str);

/// See [`Stays`].
pub(crate) const STAYS: &[Stays] = &[
    (
        "_sqlx_migrations",
        "the schema is made by this program; its version is in the manifest",
    ),
    (
        "keyring",
        "the fingerprint is in the manifest, and the target has its own row of it",
    ),
    ("fleet_hour", "made from telemetry by the hub that starts"),
    ("device_day", "made from telemetry by the hub that starts"),
    (
        "aggregated",
        "how far aggregates are; in a new database they are made from the beginning",
    ),
    (
        "event_epoch",
        "belongs to the cluster; the next hub begins a new one where events come from another",
    ),
    ("lease", "belongs to whoever works on this database"),
    (
        "witness",
        "how late it was for the hubs on this database; the next one begins with the newest reading",
    ),
    ("sweep", "what was deleted from this database"),
    (
        "sweep_confirmation",
        "what a person has said of this database and its machine's clock",
    ),
    ("layout", "how this database keeps telemetry is its own"),
    ("partition", "the same 256 rows in every database"),
    ("import", "says how far an import into this database is"),
    ("import_file", "says how far an import into this database is"),
];

/// The table whose rows go into Parquet.
pub(crate) const TELEMETRY: &str = "telemetry";

/// Moved row by row.
pub(crate) const TABLES: &[Table] = &[
    Table {
        numbered: Some("no"),
        ..seeded(
            "profile_version",
            "no:smallint, name:text, digest:bytea, channels:jsonb",
            "no",
        )
    },
    numbered(
        "tenant",
        "id:text, no:integer, brand:jsonb, call_rules:jsonb, visit_price:jsonb, device_max:integer, ticket_status:jsonb",
        "id",
        "no",
    ),
    table(
        "retention",
        "tenant:text, profile:text, days:integer",
        "tenant, profile",
    ),
    table("ticket_counter", "tenant:text, last:bigint", "tenant"),
    table("device_tally", "tenant:text, devices:bigint", "tenant"),
    table("quarantine_tally", "tenant:text, kept:bigint, dropped:bigint", "tenant"),
    table(
        "trunk",
        "tenant:text, proxy:text, domain:text, username:text, password:bytea, caller_number:bytea, caller_index:bytea, believe_from:boolean, post_dial_limit_s:smallint, trying_limit_s:smallint, addresses:jsonb, inbound_channels:smallint, number_plan:jsonb",
        "tenant",
    ),
    table(
        "service_point",
        "tenant:text, id:text, name:jsonb, zone:text, slots:jsonb",
        "tenant, id",
    ),
    table(
        "household",
        "id:uuid, tenant:text, name_in_tenant:text, key:bytea, address:bytea, zone:text",
        "id",
    ),
    table(
        "person",
        "id:uuid, tenant:text, name_in_household:text, name:text, language:text, household:uuid, rank:smallint",
        "id",
    ),
    table(
        "phone",
        "person:uuid, rank:smallint, tenant:text, number:bytea, number_index:bytea, canonical:boolean",
        "person, rank",
    ),
    numbered(
        "consent",
        "number:bigint, tenant:text, person:uuid, at:timestamp with time zone, given:boolean, source:text, purpose:text, channel:text",
        "number",
        "number",
    ),
    table(
        "do_not_call",
        "tenant:text, phone_index:bytea, at:timestamp with time zone, source:text",
        "tenant, phone_index",
    ),
    table(
        "key_group",
        "tenant:text, name:text, profile:text, enrols:boolean, current:bytea, previous:bytea, created_at:timestamp with time zone",
        "tenant, name",
    ),
    numbered(
        "appliance",
        "id:bigint, tenant:text, tenant_no:integer, device:text, partition:smallint, profile:text, model:text, household:uuid, service_point:text, secret_sha256:bytea, revoked:boolean, created_at:timestamp with time zone, old_secret_sha256:bytea, old_secret_until:timestamp with time zone, key_group:text, by_certificate:boolean, site_secret_sha256:bytea, declared:boolean",
        "id",
        "id",
    ),
    table(
        "appliance_status",
        "appliance:bigint, online:boolean, presence_reason:text, presence_at:timestamp with time zone, last_sample_at:timestamp with time zone, samples:bigint, quarantined:bigint, skew_ms:bigint, gaps:bigint, dropped:bigint, repeated:bigint",
        "appliance",
    ),
    table(
        "appliance_state",
        "appliance:bigint, payload:bytea, at:timestamp with time zone",
        "appliance",
    ),
    table(
        "appliance_birth",
        "appliance:bigint, at:timestamp with time zone, boot:bigint, model:text, firmware:text, sdk:text, reset:text, takes_cbor:boolean, settings:bigint, dropped_events:bigint, dropped_telemetry:bigint, dropped_events_in_all:bigint, dropped_telemetry_in_all:bigint",
        "appliance",
    ),
    table(
        "appliance_attribute",
        "appliance:bigint, scope:text, name:text, value:jsonb, at:timestamp with time zone",
        "appliance, scope, name",
    ),
    table(
        "inbound_packet",
        "appliance:bigint, packet_id:integer",
        "appliance, packet_id",
    ),
    table(
        "mqtt_session",
        "appliance:bigint, expiry_s:bigint, subscriptions:jsonb, kept_at:timestamp with time zone",
        "appliance",
    ),
    table(
        "owner_claim",
        "appliance:bigint, opener:text, code_hash:bytea, until:timestamp with time zone, tries:smallint",
        "appliance, opener",
    ),
    table(
        "integrator",
        "tenant:text, name:text, token_hash:bytea, filters:text[], revoked:boolean, created_at:timestamp with time zone",
        "tenant, name",
    ),
    table(
        "claim_credential",
        "tenant:text, name:text, token_hash:bytea, profile:text, expires_at:timestamp with time zone, uses_left:bigint, may_replace:boolean, revoked:boolean, created_at:timestamp with time zone",
        "tenant, name",
    ),
    table(
        "authority",
        "tenant:text, name:text, certificate:bytea, key_sha256:bytea, not_after:timestamp with time zone, revocations:bytea, signing_key:bytea",
        "tenant, name",
    ),
    table(
        "certificate",
        "serial:bytea, tenant:text, authority:text, appliance:bigint, not_after:timestamp with time zone, revoked_at:timestamp with time zone",
        "serial",
    ),
    numbered(
        "access_change",
        "number:bigint, kind:text, tenant:text, name:text, appliance:bigint",
        "number",
        "number",
    ),
    seeded(
        "scored",
        "partition:smallint, ingest_no:bigint, seen_at:timestamp with time zone, kept_no:bigint, kept_seen_at:timestamp with time zone",
        "partition",
    ),
    seeded(
        "rolled",
        "partition:smallint, ingest_no:bigint, seen_at:timestamp with time zone",
        "partition",
    ),
    table(
        "sequence",
        "appliance:bigint, boot:bigint, lane:smallint, stored:int8multirange, known_from:bigint, used_at:timestamp with time zone",
        "appliance, boot, lane",
    ),
    table(
        "late",
        "partition:smallint, ingest_no:bigint, appliance:bigint, at:timestamp with time zone",
        "partition, ingest_no",
    ),
    numbered(
        "clock_offset",
        "appliance:bigint, boot:bigint, offset_ms:bigint, number:bigint",
        "appliance, boot",
        "number",
    ),
    numbered(
        "quarantine",
        "number:bigint, tenant:text, appliance:bigint, topic:text, payload:bytea, reason:text, received_at:timestamp with time zone",
        "number",
        "number",
    ),
    numbered(
        "command",
        "number:bigint, appliance:bigint, request:text, body:text, queued_at:timestamp with time zone, expires_at:timestamp with time zone, replied_at:timestamp with time zone, reply:bytea, sent_at:timestamp with time zone, acknowledged_at:timestamp with time zone",
        "number",
        "number",
    ),
    table(
        "checkpoint",
        "appliance:bigint, model:text, state:bytea, saved_at:timestamp with time zone, restarted:boolean, ingest_no:bigint",
        "appliance, model",
    ),
    table(
        "firmware",
        "appliance:bigint, told:text, told_at:timestamp with time zone, baseline:text, restarts:integer, restarted_at:timestamp with time zone",
        "appliance",
    ),
    table(
        "baseline_restart",
        "appliance:bigint, at:timestamp with time zone, reason:jsonb",
        "appliance, at",
    ),
    table("watching", "appliance:bigint, told:jsonb", "appliance"),
    table(
        "score_month",
        "tenant:text, appliance:bigint, family:text, month:integer, score:real",
        "appliance, family, month",
    ),
    table(
        "fleet_floors",
        "tenant:text, model:text, profile:text, appliance_model:text, month:integer, floors:jsonb, appliances:integer",
        "tenant, model, profile, appliance_model",
    ),
    table(
        "budget",
        "tenant:text, family:text, ledger:jsonb, revision:bigint",
        "tenant, family",
    ),
    table(
        "budget_model",
        "tenant:text, family:text, model:text, entry:jsonb",
        "tenant, family, model",
    ),
    numbered(
        "budget_line",
        "number:bigint, tenant:text, family:text, at:timestamp with time zone, author:text, change:jsonb",
        "number",
        "number",
    ),
    table(
        "challenge",
        "family:text, model:text, hash:text, champion:text, begun_at:timestamp with time zone, dropped_at:timestamp with time zone, dropped:text",
        "family",
    ),
    table(
        "shadow",
        "family:text, appliance:bigint, told:jsonb, judged_from:timestamp with time zone",
        "family, appliance",
    ),
    table(
        "finding",
        "id:uuid, tenant:text, appliance:bigint, fault_class:text, state:text, alarm_at:timestamp with time zone, first_seen:timestamp with time zone, last_seen:timestamp with time zone, count:integer, prediction:jsonb, evidence:jsonb, ticket:uuid, suppressed_until:timestamp with time zone, trace:uuid, ticket_from:double precision",
        "id",
    ),
    table(
        "ticket",
        "id:uuid, number:bigint, tenant:text, appliance:bigint, finding:uuid, fault_class:text, severity:text, assignee:text, opened_at:timestamp with time zone, closed_at:timestamp with time zone, contact_due:timestamp with time zone, contact_requested_by:text, contact_reason:text, outcome:jsonb, trace:uuid, kind:text, category:text, label:text, contact_phase:text, promise:jsonb, promised_by:timestamp with time zone, correction:jsonb, next_promise:jsonb, judged:jsonb, contact_approved_by:text",
        "id",
    ),
    table(
        "release_tally",
        "tenant:text, model:text, fault_class:text, was_right:bigint, was_wrong:bigint, approved:bigint, refused:bigint",
        "tenant, model, fault_class",
    ),
    table(
        "appointment",
        "id:uuid, tenant:text, ticket:uuid, state:text, slot_start:timestamp with time zone, slot_end:timestamp with time zone, service_point:text, agreed_by:text, made_at:timestamp with time zone, changed_at:timestamp with time zone",
        "id",
    ),
    numbered(
        "timeline",
        "number:bigint, tenant:text, ticket:uuid, at:timestamp with time zone, actor:text, event:jsonb",
        "number",
        "number",
    ),
    table(
        "attempt",
        "id:uuid, tenant:text, ticket:uuid, owner:uuid, direction:text, state:text, started_at:timestamp with time zone, ended_at:timestamp with time zone, result:text, disposition:text, requested_by:text, offered_start:timestamp with time zone, offered_end:timestamp with time zone, offered_service_point:text, detail:jsonb, trace:uuid, rings_by:timestamp with time zone, rang_at:timestamp with time zone",
        "id",
    ),
    table(
        "account",
        "id:uuid, name:text, password_hash:text, tenant:text, created_at:timestamp with time zone, roles:text[], sites:text[]",
        "id",
    ),
    table(
        "session",
        "token_hash:bytea, account:uuid, opened_at:timestamp with time zone, expires_at:timestamp with time zone",
        "token_hash",
    ),
    table(
        "idempotency",
        "account:uuid, key:text, request:bytea, at:timestamp with time zone, status:integer, body:text",
        "account, key",
    ),
    numbered(
        "event",
        "number:bigint, transaction:bigint, tenant:text, at:timestamp with time zone, kind:text, ticket:uuid, appliance:bigint, epoch:bigint",
        "epoch, transaction, number",
        "number",
    ),
];

const fn table(name: &'static str, columns: &'static str, key: &'static str) -> Table {
    Table {
        name,
        columns,
        key,
        numbered: None,
        seeded: false,
    }
}

const fn numbered(name: &'static str, columns: &'static str, key: &'static str, by: &'static str) -> Table {
    Table {
        numbered: Some(by),
        ..table(name, columns, key)
    }
}

const fn seeded(name: &'static str, columns: &'static str, key: &'static str) -> Table {
    Table {
        seeded: true,
        ..table(name, columns, key)
    }
}
