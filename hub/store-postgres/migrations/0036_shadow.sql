-- Models that are scored beside those that are served: one a family, kept until another one begins.
create table challenge (
    family   text primary key,
    model    text not null,
    hash     text not null,
    champion text not null,
    begun_at timestamptz not null,
    -- When it was dropped because it failed, and why.
    dropped_at timestamptz,
    dropped    text,
    constraint challenge_dropped_is_whole check (num_nonnulls(dropped_at, dropped) in (0, 2))
);

-- What a challenger said of an appliance that it judges: since which reading, and its alarms, the newest of them with their times.
-- They open nothing.
create table shadow (
    family      text not null,
    appliance   bigint not null,
    told        jsonb not null,
    judged_from timestamptz not null,
    primary key (family, appliance)
) with (fillfactor = 70);

-- The wall between tenants, as 0008 has it.
create policy tenant on shadow using (nullif(current_setting('forecall.tenant', true), '') is null
    or exists (select from appliance a where a.id = shadow.appliance
        and a.tenant = current_setting('forecall.tenant', true)));
alter table shadow enable row level security, force row level security;
