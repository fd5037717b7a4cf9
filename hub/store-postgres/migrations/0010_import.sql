-- Moving ---------------------------------------------------------------------------------------------------------------

-- Which export was put into this database. Until it is all in, no hub works on it.
create table import (
    singleton   boolean primary key default true check (singleton),
    export      uuid not null,
    started_at  timestamptz not null,
    finished_at timestamptz
);

-- Its files that are in; each was noted in the transaction that wrote its rows.
create table import_file (
    name text primary key,
    rows bigint not null
);
