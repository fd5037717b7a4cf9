-- What devices say besides readings --------------------------------------------------------------------------------

-- What a device said last of itself, or its will said for it, with the wish to have it kept.
create table appliance_state (
    appliance bigint primary key,
    payload   bytea not null,
    at        timestamptz not null
);

-- Attributes by name: told by the device (`client`) or told to it (`shared`).
create table appliance_attribute (
    appliance bigint not null,
    scope     text not null check (scope in ('client', 'shared')),
    name      text not null,
    value     jsonb not null,
    at        timestamptz not null,
    primary key (appliance, scope, name)
);

-- QoS 2: packet identifiers whose publish is stored and that the device has not released yet.
create table inbound_packet (
    appliance bigint not null,
    packet_id integer not null,
    primary key (appliance, packet_id)
);

-- Counts beside the readings; written by the roll-up.
alter table appliance_status
    add column gaps     bigint not null default 0,
    add column dropped  bigint not null default 0,
    add column repeated bigint not null default 0;

-- Readings ---------------------------------------------------------------------------------------------------------

-- Samples and the newest of them are counted from the rows up to here; everything before was counted with its commit.
create table rolled (
    partition smallint primary key references partition,
    ingest_no bigint not null default 0
) with (fillfactor = 20);
insert into rolled select number, last from partition;

-- The last number of a partition is that of its last row: the unique index telemetry_by_commit refuses a writer that
-- does not know it. Guards live in memory and are rebuilt from the index telemetry_by_sequence.
alter table partition drop column last;
drop table seq_guard;
