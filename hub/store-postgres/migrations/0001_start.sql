-- The whole store: site, telemetry, prediction, ticket, contact, accounts, events.
-- Civil time always comes as a parameter: no column defaults to the database's clock.

-- Site ---------------------------------------------------------------------------------------------------------------

create table tenant (
    id           text primary key,
    -- Stands for the tenant on telemetry rows, where every byte counts.
    no           integer generated always as identity unique,
    brand        jsonb not null,
    contact_plan jsonb not null,
    visit_price  jsonb not null
);

-- Apart from `tenant`: counting up must not wait for whoever changes the tenant.
create table ticket_counter (
    tenant text primary key references tenant,
    last   bigint not null default 0
);

create table trunk (
    tenant        text primary key references tenant,
    proxy         text not null,
    domain        text not null,
    username      text,
    password      bytea,
    caller_number bytea not null,
    caller_index  bytea not null
);

create table service_point (
    tenant text not null references tenant,
    id     text not null,
    name   jsonb not null,
    zone   text not null,
    slots  jsonb not null,
    primary key (tenant, id)
);

create table owner (
    id             uuid primary key,
    tenant         text not null references tenant,
    name_in_tenant text not null,
    name           text not null,
    phone          bytea,
    phone_index    bytea,
    language       text not null,
    zone           text not null,
    unique (tenant, name_in_tenant)
);
create index owner_by_phone on owner (tenant, phone_index) where phone_index is not null;

-- A ledger: rows are only added.
create table consent (
    number bigint generated always as identity primary key,
    tenant text not null references tenant,
    owner  uuid not null references owner,
    at     timestamptz not null,
    given  boolean not null,
    source text not null
);
create index consent_by_owner on consent (owner, at);

create table do_not_call (
    tenant      text not null references tenant,
    phone_index bytea not null,
    at          timestamptz not null,
    source      text not null,
    primary key (tenant, phone_index)
);

create table appliance (
    id            bigint generated always as identity primary key,
    tenant        text not null references tenant,
    tenant_no     integer not null,
    device        text not null,
    partition     smallint not null,
    profile       text not null,
    model         text,
    owner         uuid references owner,
    service_point text,
    secret_sha256 bytea,
    revoked       boolean not null default false,
    created_at    timestamptz not null,
    unique (tenant, device),
    foreign key (tenant, service_point) references service_point (tenant, id)
);
create index appliance_by_owner on appliance (owner);
create index appliance_by_secret on appliance (secret_sha256) where secret_sha256 is not null;

-- Changes with every batch, so it is apart from the appliance and stays within its page.
create table appliance_status (
    appliance       bigint primary key references appliance,
    online          boolean not null default false,
    presence_reason text not null default '',
    presence_at     timestamptz,
    last_sample_at  timestamptz,
    samples         bigint not null default 0,
    quarantined     bigint not null default 0,
    skew_ms         bigint
) with (fillfactor = 60);

-- Telemetry ----------------------------------------------------------------------------------------------------------

-- The row is locked until the commit, so numbers become visible in their own order within a partition.
create table partition (
    number smallint primary key,
    last   bigint not null default 0
) with (fillfactor = 20);
insert into partition (number) select n from generate_series(0, 255) n;

-- Apart from `partition`: scoring and ingest must not wait for each other.
create table scored (
    partition smallint primary key references partition,
    ingest_no bigint not null default 0
) with (fillfactor = 20);
insert into scored (partition) select n from generate_series(0, 255) n;

-- One wide row a sample. A plain table: a later migration may copy it into one partitioned by range of `at`, or into a
-- hypertable; for that reason nothing refers to it and no query depends on its name alone being one table.
create table telemetry (
    appliance   bigint not null,
    tenant_no   integer not null,
    partition   smallint not null,
    ingest_no   bigint not null,
    at          timestamptz not null,
    received_at timestamptz not null,
    -- Unsigned numbers of the device, bit by bit; null for JSON, which has no sequence.
    boot        bigint,
    lane        smallint,
    seq         bigint,
    trace       uuid not null,
    -- Stored integers by the profile's channel order.
    v           integer[] not null,
    extra       jsonb
);
create index telemetry_by_time on telemetry (appliance, at desc);
create unique index telemetry_by_commit on telemetry (partition, ingest_no);
-- For what is older than the guard's bitmap, and for guards that were dropped.
create index telemetry_by_sequence on telemetry (appliance, boot, lane, seq) where seq is not null;

-- Duplicate guards: a cache of telemetry_by_sequence. A missing one is rebuilt from the rows.
create table seq_guard (
    appliance bigint not null,
    boot      bigint not null,
    lane      smallint not null,
    mark      bigint not null,
    bits      bytea not null,
    used_at   timestamptz not null,
    primary key (appliance, boot, lane)
) with (fillfactor = 70);

create table content_seen (
    appliance bigint not null,
    hash      bytea not null,
    seen_at   timestamptz not null,
    primary key (appliance, hash)
);
create index content_seen_by_time on content_seen (seen_at);

create table clock_offset (
    appliance bigint not null,
    boot      bigint not null,
    offset_ms bigint not null,
    number    bigint generated always as identity,
    primary key (appliance, boot)
);

create table quarantine (
    number      bigint generated always as identity primary key,
    tenant      text not null,
    appliance   bigint not null,
    topic       text not null,
    payload     bytea not null,
    reason      text not null,
    received_at timestamptz not null
);
create index quarantine_by_tenant on quarantine (tenant, number);
create table quarantine_tally (
    tenant  text primary key,
    kept    bigint not null,
    dropped bigint not null default 0
);

-- The outbox of commands: written with their cause, carried out by whoever holds the device's session, and done when
-- the device has replied. Calls have theirs in `ticket.contact_due`.
create table command (
    number     bigint generated always as identity primary key,
    appliance  bigint not null references appliance,
    request    text not null,
    body       text not null,
    queued_at  timestamptz not null,
    expires_at timestamptz not null,
    replied_at timestamptz,
    reply      bytea,
    unique (appliance, request)
);
create index command_waiting on command (appliance, number) where replied_at is null;

-- Prediction ---------------------------------------------------------------------------------------------------------

create table checkpoint (
    appliance bigint primary key references appliance,
    model     text not null,
    state     bytea not null,
    saved_at  timestamptz not null,
    -- The baseline was restarted: the detector in memory still runs on the old one, and nothing that it says or saves
    -- counts until the row has been taken away by whoever drops that detector.
    restarted boolean not null default false
);
create index checkpoint_restarted on checkpoint (appliance) where restarted;

create table finding (
    id               uuid primary key,
    tenant           text not null references tenant,
    appliance        bigint not null references appliance,
    fault_class      text not null,
    state            text not null,
    alarm_at         timestamptz not null,
    first_seen       timestamptz not null,
    last_seen        timestamptz not null,
    count            integer not null,
    prediction       jsonb not null,
    evidence         jsonb not null,
    ticket           uuid,
    suppressed_until timestamptz,
    trace            uuid not null
);
create unique index finding_open_once on finding (appliance, fault_class) where state = 'open';
create index finding_by_tenant on finding (tenant, id);
create index finding_by_appliance on finding (appliance, fault_class);

-- Ticket -------------------------------------------------------------------------------------------------------------

create table ticket (
    id                  uuid primary key,
    number              bigint not null,
    tenant              text not null references tenant,
    appliance           bigint not null references appliance,
    finding             uuid not null references finding,
    fault_class         text not null,
    severity            text not null,
    state               text not null,
    assignee            text,
    opened_at           timestamptz not null,
    closed_at           timestamptz,
    contact_due         timestamptz,
    call_requested_by   text,
    held                text,
    visit_start         timestamptz,
    visit_end           timestamptz,
    visit_service_point text,
    visit_agreed_by     text,
    outcome             jsonb,
    trace               uuid not null,
    unique (tenant, number)
);
create unique index ticket_open_once on ticket (appliance, fault_class) where state <> 'closed';
create index ticket_by_appliance on ticket (appliance);
create index ticket_by_tenant on ticket (tenant, id);
create index ticket_contact_due on ticket (contact_due) where state = 'contact_planned';
create index ticket_visits on ticket (tenant, visit_service_point, visit_start) where visit_start is not null;

create table timeline (
    number bigint generated always as identity primary key,
    tenant text not null references tenant,
    ticket uuid not null references ticket,
    at     timestamptz not null,
    actor  text not null,
    event  jsonb not null
);
create index timeline_by_ticket on timeline (ticket, number);

-- Contact ------------------------------------------------------------------------------------------------------------

create table attempt (
    id                    uuid primary key,
    tenant                text not null references tenant,
    ticket                uuid not null references ticket,
    owner                 uuid not null references owner,
    direction             text not null,
    state                 text not null,
    started_at            timestamptz not null,
    ended_at              timestamptz,
    result                text,
    disposition           text,
    requested_by          text,
    offered_start         timestamptz,
    offered_end           timestamptz,
    offered_service_point text,
    detail                jsonb,
    trace                 uuid not null
);
create index attempt_by_ticket on attempt (ticket, id);
create index attempt_by_owner on attempt (owner, started_at);
create index attempt_by_tenant on attempt (tenant, id);
create index attempt_alive on attempt (owner) where state <> 'ended';

-- Accounts -----------------------------------------------------------------------------------------------------------

create table account (
    id            uuid primary key,
    name          text not null unique,
    password_hash text not null,
    tenant        text references tenant,
    created_at    timestamptz not null
);

create table session (
    token_hash bytea primary key,
    account    uuid not null references account,
    opened_at  timestamptz not null,
    expires_at timestamptz not null
);
create index session_by_account on session (account, opened_at);

create table idempotency (
    account uuid not null references account,
    key     text not null,
    request bytea not null,
    at      timestamptz not null,
    status  integer,
    body    text,
    primary key (account, key)
);
create index idempotency_by_time on idempotency (at);

-- Events -------------------------------------------------------------------------------------------------------------

-- Numbers become visible out of order; a reader goes by (transaction, number) and stops below the oldest transaction
-- that is still under way.
create table event (
    number      bigint generated always as identity,
    transaction bigint not null,
    tenant      text not null,
    at          timestamptz not null,
    kind        text not null,
    ticket      uuid,
    appliance   bigint,
    primary key (transaction, number)
);

-- Keys ---------------------------------------------------------------------------------------------------------------

-- Which keyring this database was written with: another one would find no number and no do-not-call entry.
create table keyring (
    singleton   boolean primary key default true check (singleton),
    fingerprint bytea not null
);
