// The PostgreSQL wire protocol, version 3, as far as the bridge looks into it: messages in and out, names of prepared
// statements and portals, texts of queries.
// https://www.postgresql.org/docs/current/protocol-message-formats.html

export const message = (kind, ...parts) => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(kind, 0);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};

export const text = (value) => Buffer.from(`${value}\0`);

export const query = (sql) => message('Q', text(sql));

export const ready = (status) => message('Z', Buffer.from(status));

export const failure = (code, words, severity = 'ERROR') =>
  message('E', text(`S${severity}`), text(`V${severity}`), text(`C${code}`), text(`M${words}`), Buffer.from([0]));

/** The messages in `buffer`: `[kind, whole message]`. It must hold whole messages only. */
export function* messages(buffer) {
  for (let at = 0; at < buffer.length; ) {
    const end = at + 1 + buffer.readInt32BE(at + 1);
    yield [String.fromCharCode(buffer[at]), buffer.subarray(at, end)];
    at = end;
  }
}

/** Cuts `[kind, message]` off a stream; the first message of a connection has no kind. */
export class Incoming {
  #buffer = Buffer.alloc(0);
  #started = false;

  push(bytes) {
    this.#buffer = this.#buffer.length ? Buffer.concat([this.#buffer, bytes]) : bytes;
  }

  /** From the next message on, each one has a kind. */
  started() {
    this.#started = true;
  }

  next() {
    const kind = this.#started ? 1 : 0;
    if (this.#buffer.length < kind + 4) return null;
    const end = kind + this.#buffer.readInt32BE(kind);
    if (this.#buffer.length < end) return null;
    const whole = this.#buffer.subarray(0, end);
    this.#buffer = this.#buffer.subarray(end);
    return [this.#started ? String.fromCharCode(whole[0]) : 'start', whole];
  }
}

const zero = (buffer, from) => buffer.indexOf(0, from);

/** Key and value pairs of a start-up message. */
export function startup(whole) {
  const pairs = {};
  const words = whole.subarray(8, whole.length - 1).toString().split('\0');
  for (let i = 0; i + 1 < words.length; i += 2) if (words[i]) pairs[words[i]] = words[i + 1];
  return pairs;
}

/** `-c name=value --name=value` as servers read it: a backslash takes what follows as it is. */
export function options(words) {
  const split = [];
  let word = '';
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '\\' && i + 1 < words.length) word += words[++i];
    else if (/\s/.test(words[i])) {
      if (word) split.push(word);
      word = '';
    } else word += words[i];
  }
  if (word) split.push(word);
  const pairs = {};
  for (const one of split) {
    const found = /^(?:-c|--)?([\w.-]+)=([\s\S]*)$/.exec(one);
    if (found) pairs[found[1].replaceAll('-', '_')] = found[2];
  }
  return pairs;
}

/** The text of a simple query. */
export const queryText = (whole) => whole.subarray(5, zero(whole, 5)).toString();

/** The text of a Parse message. */
export const parseText = (whole) => {
  const from = zero(whole, 5) + 1;
  return whole.subarray(from, zero(whole, from)).toString();
};

/** The same Parse message with another text. */
export const withParseText = (whole, sql) => {
  const from = zero(whole, 5) + 1;
  return message('P', whole.subarray(5, from), text(sql), whole.subarray(zero(whole, from) + 1));
};

/**
 * The message with its statement and portal named apart from those of other clients. A statement without a name gets
 * one, because the next client's would overwrite it.
 */
export function renamed(kind, whole, prefix) {
  const body = whole.subarray(5);
  const cut = zero(body, 0);
  switch (kind) {
    case 'P':
      return message('P', Buffer.from(prefix), body);
    case 'B': {
      const portal = cut > 0 ? Buffer.from(prefix) : Buffer.alloc(0);
      return message('B', portal, body.subarray(0, cut + 1), Buffer.from(prefix), body.subarray(cut + 1));
    }
    case 'E':
      return cut > 0 ? message('E', Buffer.from(prefix), body) : whole;
    case 'D':
    case 'C': {
      const isUnnamedPortal = body[0] === 0x50 && cut === 1;
      return isUnnamedPortal ? whole : message(kind, body.subarray(0, 1), Buffer.from(prefix), body.subarray(1));
    }
    default:
      return whole;
  }
}

/** The name of the statement that a Parse message makes. */
export const statementName = (whole) => whole.subarray(5, zero(whole, 5)).toString();

export const closeStatement = (name) => message('C', Buffer.from('S'), text(name));

/** Severity (`S`), code (`C`) and the other fields of an error or notice. */
export function fields(whole) {
  const found = {};
  for (let at = 5; whole[at]; ) {
    const end = zero(whole, at);
    found[String.fromCharCode(whole[at])] = whole.subarray(at + 1, end).toString();
    at = end + 1;
  }
  return found;
}
