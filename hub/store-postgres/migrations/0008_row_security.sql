-- The second wall between tenants. A transaction on behalf of somebody of one tenant sets `forecall.tenant`; then the
-- database itself shows and takes no row of another. Unset, it is the hub, which serves all. The first wall are the
-- queries, which name the tenant.
--
-- A table with a tenant that comes later does the same for itself. Readings have no such wall, because they are loaded by
-- COPY and compressed, which TimescaleDB and PostgreSQL refuse beside one: queries reach them through their appliance.
do $$
declare
    -- Not a sub-select: nothing is planned for it, and for the hub it is over with the first test.
    hub constant text := 'nullif(current_setting(''forecall.tenant'', true), '''') is null';
    own constant text := 'tenant = current_setting(''forecall.tenant'', true)';
    name text;
begin
    execute format('create policy tenant on tenant using (%s or id = current_setting(''forecall.tenant'', true))', hub);
    foreach name in array array['ticket_counter', 'trunk', 'service_point', 'owner', 'consent', 'do_not_call', 'appliance',
        'quarantine', 'quarantine_tally', 'finding', 'ticket', 'timeline', 'attempt', 'account', 'event', 'device_tally',
        'key_group', 'integrator', 'claim_credential', 'authority', 'certificate', 'access_change']
    loop
        execute format('create policy tenant on %I using (%s or %s)', name, hub, own);
    end loop;
    foreach name in array array['appliance_status', 'content_seen', 'clock_offset', 'command', 'checkpoint',
        'appliance_state', 'appliance_attribute', 'inbound_packet', 'mqtt_session', 'owner_claim']
    loop
        execute format('create policy tenant on %1$I using (%2$s or exists (select from appliance a '
            'where a.id = %1$I.appliance and a.%3$s))', name, hub, own);
    end loop;
    foreach name in array array['session', 'idempotency'] loop
        execute format('create policy tenant on %1$I using (%2$s or exists (select from account a '
            'where a.id = %1$I.account and a.%3$s))', name, hub, own);
    end loop;
    -- Also for the tables' owner, which the hub is.
    for name in select tablename from pg_policies where schemaname = current_schema() and policyname = 'tenant' loop
        execute format('alter table %1$I enable row level security, force row level security', name);
    end loop;
end
$$;
