-- Tables that are written with every round beside the load.

-- Repeats of JSON are recognised by the readings themselves.
drop table content_seen;

-- Rows of a few hundred bytes that are written again all day: with room in their page, no index has to follow.
alter table device_day set (fillfactor = 80);
alter table fleet_hour set (fillfactor = 50);

-- Small tables of which every row is written again every second. Where autovacuum waits for a share of the table, or for the
-- fifty rows of its default in a table of 256, dead versions are read by everybody who looks.
alter table scored set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table rolled set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table aggregated set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- Filled and emptied: what a share of it is says nothing.
alter table late set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);
alter table appliance_status set (autovacuum_vacuum_scale_factor = 0.05);
alter table sequence set (autovacuum_vacuum_scale_factor = 0.05);

-- Which families a tenant has: asked for each pair by every sweep of retention.
create index appliance_by_profile on appliance (tenant, profile);

-- Who is there when a hub starts, and is not any more. Counts of readings touch none of its columns, so they need no new entry.
create index appliance_online on appliance_status (appliance) where online;
