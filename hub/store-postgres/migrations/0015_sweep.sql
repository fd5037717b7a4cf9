-- What sweeps of old readings have taken, and who has let one go on that takes more than they do.

-- The last of those that took something.
create table sweep (
    number   bigint generated always as identity primary key,
    ended_at timestamptz not null,
    rows     bigint not null
);
-- A person's word that the machine's clock is right and that what waits may go. Rows stay: they tell who said so.
create table sweep_confirmation (
    number       bigint generated always as identity primary key,
    confirmed_at timestamptz not null,
    expires_at   timestamptz not null,
    confirmed_by text not null
);
