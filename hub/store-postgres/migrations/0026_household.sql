-- An owner was one person with one telephone number. Now a household has persons, and each of these has numbers, in the order in
-- which they are tried. Each owner becomes a household of one: household and person both keep the owner's id, so that what
-- referred to the owner as a customer (appliance) refers to the household, and what referred to somebody who spoke (attempt,
-- consent) to the person.

create table household (
    id             uuid primary key,
    tenant         text not null references tenant,
    name_in_tenant text not null,
    -- Its own key, sealed under the keyring: numbers and address are sealed under it. Null: made from an owner, whose number is
    -- still sealed under the keyring itself. A hub that starts gives it a key.
    key            bytea,
    address        bytea,
    zone           text not null,
    unique (tenant, name_in_tenant)
);
create index household_without_key on household (id) where key is null;
insert into household (id, tenant, name_in_tenant, zone) select id, tenant, name_in_tenant, zone from owner;

create table phone (
    person       uuid not null references owner,
    -- 0 is tried first.
    rank         smallint not null,
    tenant       text not null references tenant,
    number       bytea not null,
    number_index bytea not null,
    primary key (person, rank)
);
insert into phone (person, rank, tenant, number, number_index)
    select id, 0, tenant, phone, phone_index from owner where phone is not null and phone_index is not null;
create index phone_by_number on phone (tenant, number_index);

alter table owner rename to person;
alter table person drop constraint owner_tenant_name_in_tenant_key;
alter table person rename column name_in_tenant to name_in_household;
alter table person drop column phone, drop column phone_index, drop column zone,
    add column household uuid, add column rank smallint not null default 0;
update person set household = id, name_in_household = 'owner';
alter table person alter column household set not null, alter column rank drop default,
    add foreign key (household) references household,
    add unique (household, name_in_household);
alter index owner_pkey rename to person_pkey;
alter table person rename constraint owner_tenant_fkey to person_tenant_fkey;

alter table appliance drop constraint appliance_owner_fkey;
alter table appliance rename column owner to household;
alter table appliance add foreign key (household) references household;
alter index appliance_by_owner rename to appliance_by_household;

alter table consent rename column owner to person;
alter table consent rename constraint consent_owner_fkey to consent_person_fkey;
alter index consent_by_owner rename to consent_by_person;
-- Until now one thing was asked for: calls about a predicted fault.
alter table consent add column purpose text not null default 'predicted_fault', add column channel text not null default 'call';
alter table consent alter column purpose drop default, alter column channel drop default;

-- The second wall between tenants, as 0008_row_security.sql has it; the one of `owner` stands on `person`.
do $$
declare
    hub constant text := 'nullif(current_setting(''forecall.tenant'', true), '''') is null';
    own constant text := 'tenant = current_setting(''forecall.tenant'', true)';
    name text;
begin
    foreach name in array array['household', 'phone'] loop
        execute format('create policy tenant on %I using (%s or %s)', name, hub, own);
        execute format('alter table %1$I enable row level security, force row level security', name);
    end loop;
end
$$;
