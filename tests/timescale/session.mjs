// One database session, shared: its state is changed to the client's before the client's messages run on it.

import * as wire from './wire.mjs';

/** Raised by the lock functions: run the same messages again later. */
export const HELD = 'BR001';

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
const literal = (value) => `'${value.replaceAll("'", "''")}'`;

// Every client runs in one session, for which an advisory lock of another client is its own. So these functions come
// before those of pg_catalog in the search path, and keep locks by client. Where the real ones would wait, these fail
// with a code of their own, and the bridge tries again. A lock is kept as a real one, which no rollback undoes:
// (hash of its key, number of the client).
const LOCKS = `
create schema bridge;
grant usage on schema bridge to public;
create function bridge.client() returns int language sql as $$ select current_setting('bridge.client')::int $$;
create function bridge.foreign_holder(key int) returns boolean language sql as $$
  select exists (select from pg_catalog.pg_locks where locktype = 'advisory' and objsubid = 2
    and classid::bigint = (key::bigint & 4294967295) and objid::bigint <> bridge.client()) $$;
create function bridge.wait_for(key int) returns void language plpgsql as $$
begin
  if bridge.foreign_holder(key) then raise exception 'held by another client' using errcode = '${HELD}'; end if;
end $$;
create function bridge.key(high int, low int) returns int language sql immutable as $$
  select pg_catalog.hashint8(pg_catalog.hashint8((high::bigint << 32) | (low::bigint & 4294967295))::bigint) $$;
${[
  ['key bigint', 'pg_catalog.hashint8(key)', 'pg_catalog.pg_try_advisory_lock(key)', 'pg_catalog.pg_advisory_unlock(key)'],
  ['high int, low int', 'bridge.key(high, low)', 'true', 'true'],
]
  .map(
    ([parameters, key, shown, hidden]) => `
create function bridge.pg_try_advisory_lock(${parameters}) returns boolean language sql as $$
  select case when bridge.foreign_holder(${key}) then false
    else pg_catalog.pg_try_advisory_lock(${key}, bridge.client()) and ${shown} end $$;
create function bridge.pg_advisory_lock(${parameters}) returns void language sql as $$
  select bridge.wait_for(${key}); select ${shown}; select pg_catalog.pg_advisory_lock(${key}, bridge.client()) $$;
create function bridge.pg_advisory_unlock(${parameters}) returns boolean language sql as $$
  select pg_catalog.pg_advisory_unlock(${key}, bridge.client()) and ${hidden} $$;
create function bridge.pg_try_advisory_xact_lock(${parameters}) returns boolean language sql as $$
  select not bridge.foreign_holder(${key}) $$;
create function bridge.pg_advisory_xact_lock(${parameters}) returns void language sql as $$
  select bridge.wait_for(${key}) $$;`,
  )
  .join('')}
create function bridge.pg_advisory_unlock_all() returns void language plpgsql as $$
declare
  held record;
  long bigint;
begin
  for held in select classid, objid from pg_catalog.pg_locks
    where locktype = 'advisory' and objsubid = 2 and objid::bigint = bridge.client()
  loop
    for long in select (l.classid::bigint << 32) | l.objid::bigint from pg_catalog.pg_locks l
      where l.locktype = 'advisory' and l.objsubid = 1
    loop
      if pg_catalog.hashint8(long)::bigint & 4294967295 = held.classid::bigint then
        while pg_catalog.pg_advisory_unlock(long) loop end loop;
      end if;
    end loop;
    while pg_catalog.pg_advisory_unlock(
      (case when held.classid::bigint > 2147483647 then held.classid::bigint - 4294967296 else held.classid::bigint end)::int,
      bridge.client()) loop end loop;
  end loop;
end $$;
create function bridge.pg_terminate_backend(pid int, timeout bigint default 0) returns boolean language plpgsql as $$
begin raise exception 'all clients of the bridge share one session' using errcode = 'feature_not_supported'; end $$;
create function bridge.pg_cancel_backend(pid int) returns boolean language plpgsql as $$
begin raise exception 'all clients of the bridge share one session' using errcode = 'feature_not_supported'; end $$;
create schema postgres;
`;

export class Session {
  #db;
  #current = null;

  /** `extensions` has `timescaledb`, and what a client may load. */
  static async start(PGlite, extensions) {
    const db = await PGlite.create({ extensions });
    await db.exec('create extension timescaledb');
    await db.exec(LOCKS);
    const session = new Session();
    session.#db = db;
    const { rows } = await db.query(
      "select current_setting('server_version') version, (select extversion from pg_extension where extname = 'timescaledb') timescale",
    );
    Object.assign(session, rows[0]);
    return session;
  }

  /** Runs messages as they are: `{bytes to hand back, status of the transaction (I, T, E) or null, error or null}`. */
  raw(bytes) {
    const out = Buffer.from(this.#db.execProtocolRawSync(new Uint8Array(bytes)));
    const kept = [];
    let status = null;
    let error = null;
    for (const [kind, whole] of wire.messages(out)) {
      if (kind === 'Z') status = String.fromCharCode(whole[5]);
      if (kind === 'E') error = wire.fields(whole);
      // This build tells about its own files.
      if (kind === 'N' && wire.fields(whole).S.startsWith('DEBUG')) continue;
      kept.push([kind, whole]);
    }
    return { messages: kept, status, error };
  }

  /** Makes the session the client's. Returns the error of a setting that is refused, or null. */
  become(client) {
    if (this.#current === client) return null;
    const before = this.#current;
    this.#current = null;
    const sql = ['set session authorization postgres'];
    for (const name of before?.settings.keys() ?? []) {
      if (!client.settings.has(name)) sql.push(`reset ${name}`);
    }
    for (const [name, value] of client.settings) {
      if (before?.settings.get(name) === value) continue;
      // A session loads this at its start, and ours has started.
      sql.push(name === 'session_preload_libraries' ? `load ${value}` : `set ${name} to ${value}`);
    }
    sql.push(`set search_path to ${quoted(client.database)}, bridge, pg_catalog, public`);
    sql.push(`select pg_catalog.set_config('bridge.client', '${client.number}', false)`);
    if (client.user !== 'postgres') sql.push(`set session authorization ${quoted(client.user)}`);
    const { error } = this.raw(wire.query(sql.join(';')));
    if (!error) this.#current = client;
    return error;
  }

  /** One value, asked by the bridge itself. */
  ask(sql) {
    this.#leave();
    const row = this.raw(wire.query(sql)).messages.find(([kind]) => kind === 'D');
    return row ? row[1].subarray(11).toString() : null;
  }

  hasDatabase(name) {
    return this.ask(`select 't' from pg_catalog.pg_namespace where nspname = ${literal(name)}`) === 't';
  }

  /** Rolls back, gives locks back and forgets statements of a client that is gone. */
  forget(client, isInTransaction) {
    if (isInTransaction) this.raw(wire.query('rollback'));
    if (!this.become(client)) this.raw(wire.query('select bridge.pg_advisory_unlock_all()'));
    const closing = [...client.statements].map(wire.closeStatement);
    if (closing.length) this.raw(Buffer.concat([...closing, wire.message('S')]));
    this.#leave();
  }

  #leave() {
    if (this.#current) this.become({ ...this.#current, number: 0, user: 'postgres', settings: new Map(), database: 'postgres' });
    this.#current = null;
  }
}

const NAME = String.raw`("(?:[^"]|"")+"|[\w$]+)`;
const REWRITES = [
  [new RegExp(String.raw`^\s*create\s+database\s+${NAME}\s+(?:with\s+)?owner\s*=?\s*${NAME}[\s\S]*$`, 'i'), 'create schema $1 authorization $2'],
  [new RegExp(String.raw`^\s*create\s+database\s+${NAME}[\s\S]*$`, 'i'), 'create schema $1'],
  [new RegExp(String.raw`^\s*drop\s+database\s+(if\s+exists\s+)?${NAME}[\s\S]*$`, 'i'), 'drop schema $1 $2 cascade'],
  [new RegExp(String.raw`^\s*alter\s+database\s+${NAME}\s+owner\s+to\s+${NAME}\s*;?\s*$`, 'i'), 'alter schema $1 owner to $2'],
];

/** A database is a schema here. */
export function asSchema(sql) {
  for (const [pattern, replacement] of REWRITES) {
    if (pattern.test(sql)) return sql.replace(pattern, (_, ...found) => replacement.replace(/\$(\d)/g, (__, n) => found[n - 1] ?? ''));
  }
  return sql;
}

const PREPARES = /((?:^|;)\s*prepare\s+)(?!transaction\b)(\w+)/gi;
const USES = /\b((?:execute|deallocate)\s+)(\w+)/gi;

/** What a client prepares by SQL is its own: its prefix goes before the name, as it does in messages. */
export function ownStatements(client, sql) {
  const own = (name) => client.prefix + name.toLowerCase();
  const named = sql.replace(PREPARES, (_, before, name) => {
    client.statements.add(own(name));
    return before + own(name);
  });
  return named.replace(USES, (whole, before, name) => (client.statements.has(own(name)) ? before + own(name) : whole));
}

const SETS = /(?:^|;)\s*set\s+(?:session\s+)?(?!local\b|transaction\b|constraints\b|session\b|role\b|search_path\b)([\w.]+)\s*(?:=|\bto\b)\s*('(?:[^']|'')*'|[^;]+)/gi;
const RESETS = /(?:^|;)\s*reset\s+(?!role\b|session\b|search_path\b)([\w.]+)/gi;

/** Remembers what a client sets for its session, to set it again when its turn comes. */
export function remember(settings, sql) {
  for (const [, name, value] of sql.matchAll(SETS)) settings.set(name.toLowerCase(), value.trim());
  for (const [, name] of sql.matchAll(RESETS)) settings.delete(name.toLowerCase());
}
