-- Firmware that devices tell: the newest version, and the one that the baseline of the appliance was learned under.
create table firmware (
    appliance bigint primary key,
    told      text not null,
    -- When it was first told after another one.
    told_at   timestamptz not null,
    baseline  text not null,
    -- Restarts of the baseline for a firmware, one after the other, and the last of them.
    restarts     integer not null,
    restarted_at timestamptz
) with (fillfactor = 70);
create index firmware_changed on firmware (appliance) where told <> baseline;
insert into firmware (appliance, told, told_at, baseline, restarts)
    select appliance, btrim(firmware), at, btrim(firmware), 0 from appliance_birth where btrim(firmware) <> '';

-- Why baselines have started over: the newest of each appliance.
create table baseline_restart (
    appliance bigint not null,
    at        timestamptz not null,
    reason    jsonb not null,
    primary key (appliance, at)
);

-- Floors that fleets have shown: by the model that watches their appliances, its profile, and what devices say they are.
create table fleet_floors (
    tenant          text    not null references tenant,
    model           text    not null,
    profile         text    not null,
    appliance_model text    not null,
    -- From which they hold (January of the year 0 is 0).
    month           integer not null,
    floors          jsonb   not null,
    appliances      integer not null,
    primary key (tenant, model, profile, appliance_model)
);

-- Appliances of a fleet by pages, one after the other; it answers also what that of 0013 was made for.
drop index appliance_by_profile;
create index appliance_by_profile on appliance (tenant, profile, id);

-- The wall between tenants, as 0008 has it.
create policy tenant on fleet_floors using (nullif(current_setting('forecall.tenant', true), '') is null
    or tenant = current_setting('forecall.tenant', true));
alter table fleet_floors enable row level security, force row level security;
create policy tenant on firmware using (nullif(current_setting('forecall.tenant', true), '') is null
    or exists (select from appliance a where a.id = firmware.appliance
        and a.tenant = current_setting('forecall.tenant', true)));
alter table firmware enable row level security, force row level security;
create policy tenant on baseline_restart using (nullif(current_setting('forecall.tenant', true), '') is null
    or exists (select from appliance a where a.id = baseline_restart.appliance
        and a.tenant = current_setting('forecall.tenant', true)));
alter table baseline_restart enable row level security, force row level security;
