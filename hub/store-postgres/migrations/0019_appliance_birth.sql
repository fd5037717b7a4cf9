-- What a device that runs our agent said last of itself, in the birth message on its state topic. It stays while the device is
-- away, and goes when another kind of state comes in its place. Counts are since the start that it is about, and in all over
-- the starts that it told of.
create table appliance_birth (
    appliance                bigint primary key,
    at                       timestamptz not null,
    boot                     bigint not null,
    model                    text not null,
    firmware                 text not null,
    sdk                      text not null,
    reset                    text not null,
    takes_cbor               boolean not null,
    settings                 bigint not null,
    dropped_events           bigint not null,
    dropped_telemetry        bigint not null,
    dropped_events_in_all    bigint not null,
    dropped_telemetry_in_all bigint not null
);

-- The wall between tenants, as 0008 has it.
create policy tenant on appliance_birth using (nullif(current_setting('forecall.tenant', true), '') is null
    or exists (select from appliance a where a.id = appliance_birth.appliance
        and a.tenant = current_setting('forecall.tenant', true)));
alter table appliance_birth enable row level security, force row level security;
