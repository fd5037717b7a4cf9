-- Checkpoints are saved rarely: rows up to `kept_no` are in them or need none, those above it, up to `ingest_no`, are read
-- again after a restart. What tells where these are (`late`) and the rows themselves wait until then. They were received at
-- `kept_seen_at` or later, as those above `ingest_no` at `seen_at`.
alter table scored add column kept_no bigint not null default 0,
    add column kept_seen_at timestamptz not null default '1970-01-01Z';
update scored set kept_no = ingest_no, kept_seen_at = seen_at;

-- Which row of its appliance a checkpoint has come to; one for each model. Under an empty name a row without a state says
-- when the baseline was restarted: rows up to that one say nothing of it. What was saved so far was saved with each batch.
alter table checkpoint add column ingest_no bigint not null default 0;
update checkpoint c set ingest_no = s.ingest_no
    from appliance a join scored s on s.partition = a.partition where a.id = c.appliance;
alter table checkpoint drop constraint checkpoint_pkey;
alter table checkpoint add primary key (appliance, model);
-- By name, so that nobody has to know how few there are.
drop index checkpoint_restarted;
create index checkpoint_restarted on checkpoint (model, appliance) where restarted;
-- States are packed; a page keeps room for the next number of each.
alter table checkpoint alter column state set storage external;
alter table checkpoint set (fillfactor = 70);
