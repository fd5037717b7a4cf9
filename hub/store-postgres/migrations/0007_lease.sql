-- Who may write telemetry and what follows from it: one hub at a time.

-- That a hub lives is told by an advisory lock of its session; that nobody writes who has lost it without knowing, by
-- the token: transactions hold this row `for share` and see that the token is still theirs, and whoever takes the lease
-- over counts it up, which waits for them.
create table lease (
    -- Partitions that it is for, both included.
    first    smallint primary key,
    last     smallint not null,
    holder   uuid,
    token    bigint not null default 0,
    taken_at timestamptz,
    check (first <= last)
) with (fillfactor = 20);
insert into lease (first, last) values (0, 255);
