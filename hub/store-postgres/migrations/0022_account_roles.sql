-- What people may do, and the service points that they are confined to (null for all). Who has an account has run the hub so far.
alter table account
    add column roles text[] not null default '{administrator}',
    add column sites text[],
    add constraint account_has_a_role check (cardinality(roles) > 0),
    add constraint sites_are_of_a_tenant check (sites is null or tenant is not null);
alter table account alter column roles drop default;
