-- Budgets of false tickets and calls. The highest held score of each appliance in a month (January of the year 0 is 0), by model family:
-- written with the checkpoint of its detector, where it has grown.
create table score_month (
    tenant    text    not null references tenant,
    appliance bigint  not null,
    family    text    not null,
    month     integer not null,
    score     real    not null,
    primary key (appliance, family, month)
) with (fillfactor = 80);
-- A review reads a family's month; each pair of tenant and family is found by a step in it.
create index score_month_of_family on score_month (tenant, family, month);

-- What is stated and known of a family; its appliance models are apart, since each is some kB and one is asked for with a prediction.
create table budget (
    tenant   text   not null references tenant,
    family   text   not null,
    ledger   jsonb  not null,
    revision bigint not null,
    primary key (tenant, family)
);
-- An empty model stands for all that have no row.
create table budget_model (
    tenant text  not null references tenant,
    family text  not null,
    model  text  not null,
    entry  jsonb not null,
    primary key (tenant, family, model)
);
-- What happened to a ledger: statements, other thresholds, stops and releases.
create table budget_line (
    number bigint generated always as identity primary key,
    tenant text        not null references tenant,
    family text        not null,
    at     timestamptz not null,
    author text        not null,
    change jsonb       not null
);
create index budget_line_of_family on budget_line (tenant, family, number);

-- The score from which a finding gets its ticket, while its own is lower.
alter table finding add column ticket_from double precision;
create index finding_waits on finding (tenant) where state = 'open' and ticket is null and ticket_from is not null;
-- The families that a tenant's appliances name as their model.
create index appliance_by_model on appliance (tenant, model) where model is not null;
-- Closed tickets are learned from, the newest first.
create index ticket_closed on ticket (tenant, closed_at desc) where category = 'resolved';
-- Calls that a surge has stopped, for when it is over.
create index ticket_surge on ticket (tenant) where contact_phase = 'held' and contact_reason = 'surge';

-- The wall between tenants, as 0008 has it.
do $$
declare
    hub constant text := 'nullif(current_setting(''forecall.tenant'', true), '''') is null';
    own constant text := 'tenant = current_setting(''forecall.tenant'', true)';
    name text;
begin
    foreach name in array array['score_month', 'budget', 'budget_model', 'budget_line'] loop
        execute format('create policy tenant on %I using (%s or %s)', name, hub, own);
        execute format('alter table %1$I enable row level security, force row level security', name);
    end loop;
end
$$;
