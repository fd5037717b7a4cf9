-- The front door: what devices, programs and makers' lines come in with, what of an MQTT session is kept, and how a
-- household takes its appliance into its own name.

-- Devices ------------------------------------------------------------------------------------------------------------

-- More devices than this are refused: whoever holds a group key could make them without end.
alter table tenant add column device_max integer not null default 1000000;

-- Apart from `tenant`: counting up must not wait for whoever changes the tenant.
create table device_tally (
    tenant  text primary key references tenant,
    devices bigint not null
);
insert into device_tally (tenant, devices) select tenant, count(*) from appliance group by tenant;

-- Keys from which the secrets of many devices derive, sealed by the keyring.
create table key_group (
    tenant     text not null references tenant,
    name       text not null,
    profile    text not null,
    enrols     boolean not null,
    current    bytea not null,
    previous   bytea,
    created_at timestamptz not null,
    primary key (tenant, name)
);

alter table appliance
    -- The secret before `secret_sha256`: works until it is retired, or until its end if it has one.
    add column old_secret_sha256 bytea,
    add column old_secret_until timestamptz,
    add column key_group text,
    -- It comes in by a certificate: said by whoever declared it, or seen once. It stays, so that nobody is given a
    -- credential of such a device unless one may be replaced.
    add column by_certificate boolean not null default false,
    -- What the site file said last: saying it again does not undo a rotation.
    add column site_secret_sha256 bytea,
    add foreign key (tenant, key_group) references key_group (tenant, name);
create index appliance_by_old_secret on appliance (old_secret_sha256) where old_secret_sha256 is not null;
create index appliance_by_key_group on appliance (tenant, key_group) where key_group is not null;
update appliance set site_secret_sha256 = secret_sha256;

-- Programs, makers' lines, authorities -------------------------------------------------------------------------------

create table integrator (
    tenant     text not null references tenant,
    name       text not null,
    token_hash bytea not null unique,
    filters    text[] not null,
    revoked    boolean not null default false,
    created_at timestamptz not null,
    primary key (tenant, name)
);

create table claim_credential (
    tenant         text not null references tenant,
    name           text not null,
    token_hash     bytea not null unique,
    profile        text not null,
    expires_at     timestamptz not null,
    uses_left      bigint not null check (uses_left >= 0),
    may_replace    boolean not null,
    revoked        boolean not null default false,
    created_at     timestamptz not null,
    primary key (tenant, name)
);

create table authority (
    tenant      text not null references tenant,
    name        text not null,
    certificate bytea not null,
    -- SHA-256 of its public key: an authority tells which tenant a certificate belongs to, so it stands for one only.
    key_sha256  bytea not null unique,
    not_after   timestamptz not null,
    revocations bytea,
    -- Its private key, sealed by the keyring, if the hub signs with it.
    signing_key bytea,
    primary key (tenant, name)
);

-- What the hub signed, until it has run out: the source of the hub's own revocation lists.
create table certificate (
    serial     bytea primary key,
    tenant     text not null references tenant,
    authority  text not null,
    appliance  bigint not null references appliance,
    not_after  timestamptz not null,
    revoked_at timestamptz,
    foreign key (tenant, authority) references authority (tenant, name) on delete cascade
);
create index certificate_by_appliance on certificate (appliance) where revoked_at is null;
create index certificate_revoked on certificate (tenant, authority) where revoked_at is not null;

-- Told to the front door: whoever acted on a row takes it out afterwards.
create table access_change (
    number    bigint generated always as identity primary key,
    kind      text not null,
    tenant    text not null,
    name      text,
    appliance bigint
);

-- Sessions -----------------------------------------------------------------------------------------------------------

create table mqtt_session (
    appliance     bigint primary key references appliance,
    expiry_s      bigint not null,
    -- [[filter, qos], …]
    subscriptions jsonb not null,
    -- When it was known last to be wanted. Its device's presence is written a little later than that.
    kept_at       timestamptz not null
);

alter table command
    add column sent_at timestamptz,
    add column acknowledged_at timestamptz;

-- Owners -------------------------------------------------------------------------------------------------------------

create table owner_claim (
    appliance  bigint not null references appliance,
    opener     text not null,
    -- HMAC under the keyring: codes may be short.
    code_hash  bytea not null,
    until      timestamptz not null,
    tries      smallint not null default 0,
    primary key (appliance, opener)
);
