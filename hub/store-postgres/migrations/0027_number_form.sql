-- How numbers are written on a trunk. Null: with plus and country code.
alter table trunk add column number_plan jsonb;

-- A number was kept as it was written behind the country code, so that one number had several forms, and several indexes. A hub that
-- starts reads it again by its country's numbering (SQL can neither open nor seal it), joins what was kept under the forms of before,
-- and sets this.
alter table phone add column canonical boolean not null default false;
create index phone_not_canonical on phone (person) where not canonical;
