-- What an appliance's detector last said of whether it is watched: calibrating, watched, or why not. Written when that changes,
-- and told again after a restart; so nothing is lost with a row.
create table watching (
    appliance bigint primary key,
    told      jsonb not null
) with (fillfactor = 70);

-- The wall between tenants, as 0008 has it.
create policy tenant on watching using (nullif(current_setting('forecall.tenant', true), '') is null
    or exists (select from appliance a where a.id = watching.appliance
        and a.tenant = current_setting('forecall.tenant', true)));
alter table watching enable row level security, force row level security;
