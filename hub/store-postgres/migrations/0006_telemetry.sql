-- Telemetry by time: a hypertable where this database has TimescaleDB, native partitions elsewhere. Both are made of
-- weeks that start on Thursdays at 00:00 UTC, as the weeks of the Unix epoch do and as TimescaleDB cuts its chunks.

create table layout (
    singleton boolean primary key default true check (singleton),
    telemetry text not null check (telemetry in ('hypertable', 'partitions'))
);

-- What profiles said: one row for each content that a hub was ever started with. A row of `telemetry` is read by the
-- version that it names, so a profile that changes rewrites no history.
create table profile_version (
    no       smallint generated always as identity primary key,
    name     text not null,
    -- SHA-256 of the profile; empty for rows from before versions, until a hub starts that has the profile.
    digest   bytea not null,
    -- Channels as the profile has them; its id is the number of its column.
    channels jsonb not null,
    unique (name, digest)
);
insert into profile_version (name, digest, channels)
    select name, ''::bytea, '[]' from (select distinct profile as name from appliance) p order by name;

drop index telemetry_by_time, telemetry_by_commit, telemetry_by_sequence;
alter table telemetry rename to telemetry_before;

-- One wide row a sample. No unique index: whoever holds the lease is the only one who writes, and knows what is stored.
do $$
declare
    -- Where the extension's functions are: its owner may have put them anywhere.
    extension text := (select quote_ident(nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
                       where e.extname = 'timescaledb');
    channels text := (select string_agg(format('c%s integer', n), ', ' order by n) from generate_series(1, 32) n);
    week record;
begin
    -- In order of width: no byte is lost to alignment.
    execute 'create table telemetry (
        appliance   bigint not null,
        ingest_no   bigint not null,
        at          timestamptz not null,
        received_at timestamptz not null,
        -- Unsigned numbers of the device, bit by bit; null for JSON, which has no sequence.
        boot        bigint,
        seq         bigint,
        -- The halves of the trace id: numbers that count up within a connection take no room compressed, a uuid does.
        trace_high  bigint not null,
        trace_low   bigint not null,
        tenant_no   integer not null,
        -- Stored integers by channel id of the profile version; null where the sample did not say.
        ' || channels || ',
        partition   smallint not null,
        profile_no  smallint not null,
        lane        smallint,
        -- Channels from the 33rd on, for profiles that have so many.
        more        integer[],
        extra       jsonb)' || case when extension is null then ' partition by range (at)' else '' end;
    if extension is null then
        insert into layout (telemetry) values ('partitions');
        for week in
            select to_timestamp(n * 604800) as starts, to_timestamp((n + 1) * 604800) as ends
            from (select distinct floor(extract(epoch from at) / 604800) as n from telemetry_before) w order by n
        loop
            execute format('create table %I partition of telemetry for values from (%L) to (%L)',
                to_char(week.starts at time zone 'UTC', '"telemetry_"YYYYMMDD'), week.starts, week.ends);
        end loop;
    else
        insert into layout (telemetry) values ('hypertable');
        execute format('select %s.create_hypertable(''telemetry'', %s.by_range(''at'', interval ''7 days''), '
            'create_default_indexes => false)', extension, extension);
    end if;
end
$$;

do $$
declare
    columns text := (select string_agg(format('c%s', n), ', ' order by n) from generate_series(1, 32) n);
    places  text := (select string_agg(format('b.v[%s]', n), ', ' order by n) from generate_series(1, 32) n);
begin
    execute format('insert into telemetry (appliance, ingest_no, at, received_at, boot, seq, trace_high, trace_low, tenant_no, %s, '
        'partition, profile_no, lane, more, extra) '
        'select b.appliance, b.ingest_no, b.at, b.received_at, b.boot, b.seq, '
        '(''x'' || left(replace(b.trace::text, ''-'', ''''), 16))::bit(64)::bigint, '
        '(''x'' || right(replace(b.trace::text, ''-'', ''''), 16))::bit(64)::bigint, b.tenant_no, %s, '
        'b.partition, coalesce(p.no, 0), b.lane, nullif(b.v[33:], ''{}''), b.extra '
        'from telemetry_before b left join appliance a on a.id = b.appliance left join profile_version p on p.name = a.profile '
        'order by b.partition, b.ingest_no', columns, places);
end
$$;

create index telemetry_by_time on telemetry (appliance, at);
-- For readers in the order of commits.
create index telemetry_by_commit on telemetry (partition, ingest_no);

-- Readers in the order of commits never look at history. What they have not read was received at `seen_at` or later, and
-- was measured at most a day before that; what was measured earlier is named in `late`. So they look at the newest weeks
-- and at that list, whatever the hub's clock has done.
alter table scored add column seen_at timestamptz not null default '1970-01-01Z';
alter table rolled add column seen_at timestamptz not null default '1970-01-01Z';
update scored s set seen_at = coalesce(
    (select min(least(b.at, b.received_at)) from telemetry_before b where b.partition = s.partition and b.ingest_no > s.ingest_no),
    (select max(received_at) from telemetry_before), seen_at);
update rolled r set seen_at = coalesce(
    (select min(least(b.at, b.received_at)) from telemetry_before b where b.partition = r.partition and b.ingest_no > r.ingest_no),
    (select max(received_at) from telemetry_before), seen_at);

-- Rows that came more than a day after their time, until every reader has passed them.
create table late (
    partition smallint not null,
    ingest_no bigint not null,
    appliance bigint not null,
    at        timestamptz not null,
    primary key (partition, ingest_no)
);

-- The numbers of each sequence among the rows that are rolled up; with the rows since, they are all that were ever stored.
-- An index on the rows would cost a fifth of what it costs to store one. Unsigned numbers in their order: `seq` with its
-- highest bit turned. The range of the very last number has no upper end.
create table sequence (
    appliance bigint not null,
    boot      bigint not null,
    lane      smallint not null,
    stored    int8multirange not null,
    -- Of a sequence with very many holes the lowest numbers are forgotten: of those below this one nobody can say.
    known_from bigint not null default -9223372036854775808,
    used_at   timestamptz not null,
    primary key (appliance, boot, lane)
) with (fillfactor = 70);
-- Not compressed, so that its size tells how many ranges there are.
alter table sequence alter column stored set storage external;
insert into sequence (appliance, boot, lane, stored, used_at)
    select appliance, boot, lane, range_agg(int8range(n, nullif(n, 9223372036854775807) + 1)), max(received_at)
    from (select *, seq # (-9223372036854775808) as n from telemetry_before where seq is not null) b
    group by appliance, boot, lane;

drop table telemetry_before;

-- What was measured two weeks ago is compressed, where the server's licence allows that. Each batch holds one appliance:
-- its readings are looked at by appliance, and resemble each other. The other two never differ within an appliance but
-- for a change of its profile, and let whole batches be deleted by tenant and by family.
do $$
declare
    extension text := (select quote_ident(nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
                       where e.extname = 'timescaledb');
begin
    if extension is not null and current_setting('timescaledb.license', true) = 'timescale' then
        alter table telemetry set (timescaledb.compress, timescaledb.compress_segmentby = 'appliance, tenant_no, profile_no',
            timescaledb.compress_orderby = 'at desc');
        execute format('select %s.add_compression_policy(''telemetry'', interval ''14 days'')', extension);
    end if;
end
$$;
