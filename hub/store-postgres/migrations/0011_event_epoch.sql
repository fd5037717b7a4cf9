-- Transaction numbers belong to a cluster: in the one that a dump is restored into they start anew. Events are therefore
-- ordered by an epoch first, which the hub renews when it finds itself in another cluster. Where an event of before
-- stands behind all that has been read, one of after does too.
create table event_epoch (
    only_row boolean primary key default true check (only_row),
    -- Seconds of the Unix epoch when it began, or one more than the one before; 0 for all that was written before.
    epoch    bigint not null,
    -- The cluster's own number, by which another one is known.
    system   bigint
);
insert into event_epoch (epoch) values (0);
alter table event add column epoch bigint not null default 0;
alter table event drop constraint event_pkey, add primary key (epoch, transaction, number);
