-- The newest correction of a closed ticket's outcome: how many there have been, why, by whom and when.
alter table ticket add column correction jsonb;

-- A site file has declared the device: one that leaves it out later may be asked to retire it. What files declared before is marked
-- when they are applied the next time.
alter table appliance add column declared boolean not null default false;
