-- How late it is at the least, by a clock that is not only the machine's: what the next hub begins with. Beside the lease, since
-- whoever writes readings holds the lease's row. Null until the lease is taken for the second time, or somebody vouches.
create table witness (
    only_row   boolean primary key default true check (only_row),
    vouched_at timestamptz
);
insert into witness default values;
