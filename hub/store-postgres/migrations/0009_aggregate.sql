-- Aggregates: what the fleet did in each hour, and each appliance on each day (UTC). With TimescaleDB they are continuous
-- aggregates; without it, or where its licence does not allow them, tables that the hub fills. Both are seen through views
-- of one shape: a line a channel, in stored integers.

-- What a database without continuous aggregates is filled with. With them, only what came from elsewhere and whose
-- readings are not kept any more.
create table fleet_hour (
    tenant_no  integer not null,
    profile_no smallint not null,
    hour       timestamptz not null,
    channel    smallint not null,
    count      bigint not null,
    sum        bigint not null,
    min        integer not null,
    max        integer not null,
    primary key (tenant_no, profile_no, channel, hour)
);

-- One row a day: the n-th entry of each array is of the n-th channel of `channel`.
create table device_day (
    appliance  bigint not null,
    profile_no smallint not null,
    day        timestamptz not null,
    channel    smallint[] not null,
    count      bigint[] not null,
    sum        bigint[] not null,
    low        integer[] not null,
    high       integer[] not null,
    primary key (appliance, day, profile_no)
);

-- Rows of each partition up to here are in the aggregates. It follows `rolled`; what lies above was received at `seen_at`
-- or later and measured at most a day before that, or is named in `late`. From the epoch: nothing is known of it.
create table aggregated (
    partition smallint primary key references partition,
    ingest_no bigint not null default 0,
    seen_at   timestamptz not null default '1970-01-01Z'
) with (fillfactor = 20);
insert into aggregated (partition) select number from partition;

-- How long readings are kept, by tenant and family; without a rule, for ever. A rule for a family goes before the one for
-- all of the tenant's.
create table retention (
    tenant  text not null references tenant,
    -- Name of a profile; empty for all that have no rule of their own.
    profile text not null,
    -- Null: for ever.
    days    integer check (days between 10 and 36500),
    primary key (tenant, profile)
);
create policy tenant on retention
    using (nullif(current_setting('forecall.tenant', true), '') is null or tenant = current_setting('forecall.tenant', true));
alter table retention enable row level security, force row level security;

alter table layout add column aggregates text not null default 'tables' check (aggregates in ('continuous', 'tables'));

do $$
declare
    extension text := (select quote_ident(nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
                       where e.extname = 'timescaledb');
    continuous boolean := extension is not null and current_setting('timescaledb.license', true) = 'timescale'
        and (select telemetry from layout) = 'hypertable';
    -- Those channels that have a column of their own.
    sums  text := (select string_agg(format('nullif(count(c%1$s), 0) as n%1$s, sum(c%1$s) as s%1$s, '
        'min(c%1$s) as l%1$s, max(c%1$s) as h%1$s', n), ', ' order by n) from generate_series(1, 32) n);
    lines text := (select string_agg(format('(%1$s::smallint, n%1$s, s%1$s, l%1$s, h%1$s)', n), ', ' order by n)
        from generate_series(1, 32) n);
    fleet  text := 'select tenant_no, profile_no, hour, channel, count, sum, min, max from fleet_hour';
    device text := 'select d.appliance, d.profile_no, d.day, k.channel, k.count, k.sum, k.min, k.max from device_day d '
        'cross join lateral unnest(d.channel, d.count, d.sum, d.low, d.high) as k (channel, count, sum, min, max)';
begin
    if continuous then
        update layout set aggregates = 'continuous';
        -- To find the hours that are refreshed; rows come about in the order of their time, so it costs next to nothing.
        create index telemetry_by_age on telemetry using brin (at) with (autosummarize = on);
        -- Whole hours, as far as they were materialised: the readings of the newest would have to be searched by time.
        execute format('create materialized view fleet_hourly_wide with (timescaledb.continuous, '
            'timescaledb.materialized_only = true) as select tenant_no, profile_no, '
            '%s.time_bucket(interval ''1 hour'', at) as hour, %s from telemetry group by 1, 2, 3 with no data',
            extension, sums);
        -- What is not materialised yet is added from the readings of the one appliance that is asked for.
        execute format('create materialized view device_daily_wide with (timescaledb.continuous, '
            'timescaledb.materialized_only = false) as select appliance, profile_no, '
            '%s.time_bucket(interval ''1 day'', at) as day, %s from telemetry group by 1, 2, 3 with no data',
            extension, sums);
        -- Never as far back as the shortest rule of `retention` may reach; what came later than that is refreshed by the hub.
        execute format('select %s.add_continuous_aggregate_policy(''fleet_hourly_wide'', start_offset => interval ''8 days'', '
            'end_offset => interval ''10 minutes'', schedule_interval => interval ''15 minutes'')', extension);
        execute format('select %s.add_continuous_aggregate_policy(''device_daily_wide'', start_offset => interval ''8 days'', '
            'end_offset => interval ''1 hour'', schedule_interval => interval ''1 hour'')', extension);
        fleet := fleet || format(' union all select w.tenant_no, w.profile_no, w.hour, k.channel, k.count, k.sum, k.min, k.max '
            'from fleet_hourly_wide w cross join lateral (values %s) as k (channel, count, sum, min, max) '
            'where k.count is not null', lines);
        device := device || format(' union all select w.appliance, w.profile_no, w.day, k.channel, k.count, k.sum, k.min, k.max '
            'from device_daily_wide w cross join lateral (values %s) as k (channel, count, sum, min, max) '
            'where k.count is not null', lines);
    end if;
    execute 'create view fleet_hourly as ' || fleet;
    execute 'create view device_daily as ' || device;
end
$$;
