// Drives MQTT.js for a test: a line of JSON in is one thing to do, a line of JSON out is one thing that happened.
'use strict'

const fs = require('node:fs')
const readline = require('node:readline')
const mqtt = require('mqtt')

let client
let version

function say (event, what = {}) {
  process.stdout.write(JSON.stringify({ event, ...what }) + '\n')
}

const names = {
  PayloadFormatIndicator: 'payloadFormatIndicator',
  SessionExpiryInterval: 'sessionExpiryInterval',
  ReceiveMaximum: 'receiveMaximum',
  MaximumPacketSize: 'maximumPacketSize',
  TopicAlias: 'topicAlias',
  MessageExpiryInterval: 'messageExpiryInterval',
  ContentType: 'contentType',
  ResponseTopic: 'responseTopic',
  CorrelationData: 'correlationData',
  UserProperty: 'userProperties'
}

// The test names properties as the specification does.
function properties (given) {
  if (!given || version !== 5) return undefined
  const made = {}
  for (const [name, value] of Object.entries(given)) {
    if (name === 'UserProperty') made.userProperties = byName(value)
    else if (name === 'PayloadFormatIndicator') made.payloadFormatIndicator = value === 1
    else if (name === 'CorrelationData') made.correlationData = Buffer.from(value)
    else made[names[name]] = value
  }
  return made
}

// MQTT.js keeps user properties by name, those of one name as a list: their order stays where equal names follow each other.
function byName (pairs) {
  const made = {}
  for (const [name, value] of pairs) {
    made[name] = name in made ? [made[name], value].flat() : value
  }
  return made
}

function pairs (byName) {
  return Object.entries(byName).flatMap(([name, values]) => [values].flat().map((value) => [name, value]))
}

function shown (given) {
  const made = {}
  for (const [name, value] of Object.entries(given || {})) {
    const known = Object.entries(names).find(([, theirs]) => theirs === name)
    made[known ? known[0] : name[0].toUpperCase() + name.slice(1)] = shownValue(name, value)
  }
  return made
}

function shownValue (name, value) {
  if (name === 'userProperties') return pairs(value)
  if (name === 'payloadFormatIndicator') return value ? 1 : 0
  return Buffer.isBuffer(value) ? value.toString() : value
}

const acts = {
  connect (act) {
    version = act.version
    const scheme = act.websocket ? (act.ca ? 'wss' : 'ws') : (act.ca ? 'mqtts' : 'mqtt')
    const options = {
      protocolVersion: version,
      clientId: act.client_id === undefined ? '' : act.client_id,
      clean: act.clean === undefined ? true : act.clean,
      username: act.user,
      password: act.password,
      keepalive: act.keepalive === undefined ? 60 : act.keepalive,
      reconnectPeriod: 0,
      connectTimeout: 30000,
      properties: properties(act.properties)
    }
    if (act.ca) options.ca = fs.readFileSync(act.ca)
    if (act.will) options.will = { qos: 0, retain: false, ...act.will, payload: Buffer.from(act.will.payload) }
    client = mqtt.connect(`${scheme}://${act.host}:${act.port}${act.websocket ? (act.path || '/mqtt') : ''}`, options)
    let refused = false
    client.on('connect', (ack) => say('connected', {
      code: version === 5 ? ack.reasonCode : ack.returnCode,
      present: ack.sessionPresent,
      properties: shown(ack.properties)
    }))
    client.on('error', (error) => {
      if (error.code === undefined || typeof error.code !== 'number') return say('failed', { error: error.message })
      refused = true
      say('refused', { code: error.code, reason: error.message })
    })
    client.on('disconnect', (packet) => say('told', { code: packet.reasonCode, properties: shown(packet.properties) }))
    client.on('close', () => { if (!refused) say('closed') })
    client.on('message', (topic, payload, packet) => say('message', {
      topic,
      payload: payload.toString(),
      qos: packet.qos,
      retain: packet.retain,
      properties: shown(packet.properties)
    }))
  },
  publish (act) {
    const options = { qos: act.qos || 0, retain: !!act.retain, properties: properties(act.properties) }
    client.publish(act.topic, act.payload, options, (error, packet) => {
      if (error && typeof error.code !== 'number') return say('failed', { error: error.message })
      const code = error ? error.code : (packet && packet.reasonCode) || 0
      say('published', { code })
    })
  },
  subscribe (act) {
    const options = { qos: act.qos || 0 }
    if (version === 5) Object.assign(options, { nl: !!act.no_local, rap: !!act.retain_as_published })
    client.subscribe(act.filter, options, (error, granted, packet) => {
      if (packet && packet.granted) return say('subscribed', { codes: packet.granted })
      if (error) return say('failed', { error: error.message })
      say('subscribed', { codes: granted.map((one) => one.qos) })
    })
  },
  unsubscribe (act) {
    client.unsubscribe(act.filter, (error) => error ? say('failed', { error: error.message }) : say('unsubscribed'))
  },
  disconnect (act) {
    client.removeAllListeners('close')
    const options = act.properties ? { properties: properties(act.properties) } : {}
    client.end(false, options, () => say('disconnected'))
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const act = JSON.parse(line)
  try {
    acts[act.do](act)
  } catch (error) {
    say('failed', { error: error.message })
  }
}).on('close', () => process.exit(0))
