/*
 * The device agent of Forecall for C. Made of agent-sdk/ffi by its test `the_header_is_current`: change it there.
 *
 * The program opens the transport when fc_agent_next_connect_at says so, and calls fc_agent_connected, or
 * fc_agent_disconnected where that fails. Then, for as long as the transport lives:
 *
 * 1. what it receives goes to fc_agent_bytes, and what that leaves over goes there again after steps 2 and 3;
 * 2. fc_agent_poll_event until it gives false;
 * 3. fc_agent_poll_transmit until it gives 0, and all of it to the transport;
 * 4. it sleeps until bytes come, something is published, or fc_agent_next_deadline.
 *
 * After FC_AGENT_DISCONNECTED, or when the other side has closed, it closes the transport and calls
 * fc_agent_disconnected. An agent needs no end: its memory may simply be used for something else.
 */

#ifndef FORECALL_AGENT_H
#define FORECALL_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Goes into `FcAgentConfig.abi_version`, so that a header and a library which do not belong together are found out.
#define FC_AGENT_ABI_VERSION 1

// An agent's state takes no more than this in bytes, on any processor; `fc_agent_sizeof` says how much exactly.
#define FC_AGENT_STATE_BYTES 1024

// Done.
#define FC_AGENT_OK 0

// `abi_version` is not the one of this library.
#define FC_AGENT_ABI 1

// A pointer is NULL where there must be something.
#define FC_AGENT_NULL 2

// The memory is too small, or does not begin where a `uint64_t` may.
#define FC_AGENT_MEMORY 3

// A text is longer than 1,023 bytes or not ASCII, or there are more than 8 subscriptions.
#define FC_AGENT_TEXT 4

// A number is none of those that its field may have.
#define FC_AGENT_NUMBER 5

// The topic is empty or has a wildcard.
#define FC_AGENT_TOPIC 6

// The message is longer than the outbox, or its topic longer than 255 bytes. Counted as dropped.
#define FC_AGENT_TOO_LONG 7

// The outbox is full of what may not give way. Counted as dropped.
#define FC_AGENT_FULL 8

// Readings: they go up after events.
#define FC_AGENT_TELEMETRY 0

// Faults, replies, what must not wait.
#define FC_AGENT_EVENT 1

// When the outbox is full, the oldest message of its lane with this policy gives way.
#define FC_AGENT_DROP_OLDEST 0

// When the outbox is full, the new message is refused.
#define FC_AGENT_DROP_NEWEST 1

// The hub has accepted the connection; `session_present` says whether it still had the session.
#define FC_AGENT_CONNECTED 1

// The hub has answered the subscriptions; `number` is how many it refused.
#define FC_AGENT_SUBSCRIBED 2

// The hub has acknowledged a message at QoS 1; `number` is its token.
#define FC_AGENT_DELIVERED 3

// A message came down: `topic` and `payload`.
#define FC_AGENT_MESSAGE 4

// Messages were dropped for want of room: `number` of them, of `lane`.
#define FC_AGENT_DROPPED 5

// The connection is over: close the transport and call `fc_agent_disconnected`. `number` says why.
#define FC_AGENT_DISCONNECTED 6

// The transport was closed.
#define FC_AGENT_LINK_LOST 1

// The hub did not take the connection in time.
#define FC_AGENT_NO_CONNACK 2

// The hub did not answer a ping in time.
#define FC_AGENT_NO_ANSWER 3

// What came was not MQTT 3.1.1.
#define FC_AGENT_PROTOCOL 4

// `fc_agent_close`.
#define FC_AGENT_CLOSED 5

// The hub refused the connection; its return code is added, of which 4 and 5 are about the credentials.
#define FC_AGENT_REFUSED 256

// An agent, in memory of yours. Used by one thread at a time.
typedef struct FcAgent FcAgent;

// The numbers that a session runs by. `fc_agent_default_settings` fills them in.
typedef struct {
    // From the transport being connected until the hub must have accepted.
    uint32_t connack_limit_ms;
    // From a ping until its answer.
    uint32_t answer_limit_ms;
    // The longest delay after the first connection that failed; it doubles with each further one.
    uint32_t backoff_base_ms;
    // The longest delay before a connection.
    uint32_t backoff_cap_ms;
    // The session pings after three quarters of this without traffic; 0 switches that off.
    uint16_t keep_alive_s;
    // Messages at QoS 1 that may wait for their acknowledgement at one time.
    uint8_t window;
} FcAgentSettings;

// Who the device is. What is pointed at stays as it is for as long as the agent is used, but for `subscriptions` itself
// and `settings`, which are copied. Texts are ASCII with a final zero.
typedef struct {
    // `FC_AGENT_ABI_VERSION`.
    uint32_t abi_version;
    // Entropy for the back-off; two devices must not share it.
    uint32_t seed;
    // Names the session at the hub. NULL or empty: the hub keeps none between two connections.
    const char *client_id;
    // `tenant/device`, or an access token; NULL where the transport says who the device is, by a certificate.
    const char *user_name;
    // The device's secret; NULL with an access token.
    const uint8_t *password;
    // Its bytes.
    size_t password_len;
    // Comes before all topics, as `d/wm-001/`; NULL is empty.
    const char *topic_prefix;
    // Where the hub publishes `will_payload`, retained, when the connection ends without `fc_agent_close`; NULL is no will.
    const char *will_topic;
    // What it publishes.
    const uint8_t *will_payload;
    // Its bytes.
    size_t will_payload_len;
    // Topic filters without the prefix, at most 8.
    const char *const *subscriptions;
    // How many.
    size_t subscription_count;
    // How much of the memory holds an incoming packet, at least 16; longer messages are passed over. The outbox has the rest.
    size_t receive_bytes;
    // NULL is the defaults.
    const FcAgentSettings *settings;
} FcAgentConfig;

// A message on its way up. It is copied.
typedef struct {
    // Without the prefix, with a final zero.
    const char *topic;
    // May be NULL if it is empty.
    const uint8_t *payload;
    // Its bytes.
    size_t payload_len;
    // `FC_AGENT_TELEMETRY` or `FC_AGENT_EVENT`.
    uint8_t lane;
    // 0: forgotten once it is sent. 1: kept until the hub has acknowledged it.
    uint8_t qos;
    // `FC_AGENT_DROP_OLDEST` or `FC_AGENT_DROP_NEWEST`.
    uint8_t overflow;
    // 1: the hub keeps it as the topic's last value. Else 0.
    uint8_t retain;
} FcAgentPublish;

// What happened. Fields of other kinds are 0 or NULL.
typedef struct {
    // `FC_AGENT_CONNECTED` and so on.
    uint8_t kind;
    // 0 or 1.
    uint8_t session_present;
    // `FC_AGENT_TELEMETRY` or `FC_AGENT_EVENT`.
    uint8_t lane;
    // What the kind says.
    uint32_t number;
    // With the prefix, without a final zero; until bytes are handed in.
    const uint8_t *topic;
    // Its bytes.
    size_t topic_len;
    // Until bytes are handed in.
    const uint8_t *payload;
    // Its bytes.
    size_t payload_len;
} FcAgentEvent;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The ABI of this library: a program that was compiled with another `FC_AGENT_ABI_VERSION` does not belong to it.
uint32_t fc_agent_abi_version(void);

// Bytes of an agent's state. The memory of `fc_agent_init` has these, the receive buffer and the outbox, in which a
// message costs 10 bytes beside its topic and payload.
size_t fc_agent_sizeof(void);

// A minute of keep-alive, 20 s for each answer, 8 messages in flight, and 1 s to 5 min between connections.
//
// # Safety
//
// `settings` is NULL or may be written.
void fc_agent_default_settings(FcAgentSettings *settings);

// Makes an agent in `memory` and writes to `agent` where it is. `FC_AGENT_OK`, or why not; then nothing was changed.
//
// # Safety
//
// `memory` has `len` bytes that nobody else uses for as long as the agent is used. What `config` points at is as its
// fields say. `agent` may be written.
int32_t fc_agent_init(void *memory, size_t len, const FcAgentConfig *config, FcAgent **agent);

// The transport is connected. `entropy` is added to the seed; 0 where there is none. `now_ms` is uptime, here and
// everywhere; it never goes back.
//
// # Safety
//
// `agent` is NULL or from `fc_agent_init`, here and everywhere.
void fc_agent_connected(FcAgent *agent, uint64_t now_ms, uint32_t entropy);

// The transport is closed, by either side, or could not be opened. Once for each attempt to connect: it starts the
// back-off.
//
// # Safety
//
// As `fc_agent_connected`.
void fc_agent_disconnected(FcAgent *agent, uint64_t now_ms);

// Takes in what the transport received, and gives how many bytes of it. The rest is handed in again after
// `fc_agent_poll_event` and `fc_agent_poll_transmit`.
//
// # Safety
//
// `received` is NULL or has `len` bytes.
size_t fc_agent_bytes(FcAgent *agent, const uint8_t *received, size_t len, uint64_t now_ms);

// Takes a message in, with or without a connection, and writes to `token` what `FC_AGENT_DELIVERED` will name it.
// `FC_AGENT_OK`, or why not; then the message is forgotten.
//
// # Safety
//
// `message` and what it points at are as its fields say. `token` is NULL or may be written.
int32_t fc_agent_publish(FcAgent *agent, const FcAgentPublish *message, uint32_t *token);

// Writes to `out` what is to be sent, and gives how many bytes that is; 0 if nothing is. Call it until it gives 0, also
// when the time of `fc_agent_next_deadline` has come.
//
// # Safety
//
// `out` is NULL or has `len` bytes that may be written; they are set to zero first.
size_t fc_agent_poll_transmit(FcAgent *agent, uint8_t *out, size_t len, uint64_t now_ms);

// Writes to `event` what happened; false if nothing is left to tell.
//
// # Safety
//
// `event` is NULL or may be written.
bool fc_agent_poll_event(FcAgent *agent, FcAgentEvent *event);

// Says goodbye, so that the hub publishes no will: the next `fc_agent_poll_transmit` writes it. What waits in the outbox
// stays there.
//
// # Safety
//
// As `fc_agent_connected`.
void fc_agent_close(FcAgent *agent);

// When to come back even if nothing happens, in uptime; `UINT64_MAX` if there is no such time.
//
// # Safety
//
// As `fc_agent_connected`.
uint64_t fc_agent_next_deadline(const FcAgent *agent);

// When to open the transport, in uptime: 0, and so at once, at the start. `UINT64_MAX` while there is one.
//
// # Safety
//
// As `fc_agent_connected`.
uint64_t fc_agent_next_connect_at(const FcAgent *agent);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FORECALL_AGENT_H */
