-- What owners are told on the phone is kept: the hour that a call says is the attempt's, and the promise's time is a column, so that a
-- list can go by it. Who rings from elsewhere names an appliance by the figures of its serial number.
alter table attempt add column rings_by timestamptz;
alter table ticket add column promised_by timestamptz;
update ticket set promised_by = (promise->>'by')::timestamptz where promise is not null;
create index ticket_promised on ticket (promised_by, id) where promised_by is not null and category <> 'resolved';

create index appliance_by_figures on appliance (tenant, (regexp_replace(device, '[^0-9]', '', 'g')));

-- Calls kept free for those that come in; null: as many as the hub thinks right.
alter table trunk add column inbound_channels smallint;

-- Tickets that wait for their tenant to have a trunk are looked at as soon as it has one.
create index ticket_without_trunk on ticket (tenant) where contact_phase = 'planned' and contact_reason = 'no_trunk';
