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
 *
 * A new device comes to a secret of its own first. fc_agent_flash_get gives the record under FC_AGENT_KEY_SECRET, if there
 * is one, to fc_agent_enrolment_init. Then, until fc_agent_enrolment_is_done:
 *
 * 1. where fc_agent_enrolment_needs_secret says so, fc_agent_enrolment_renew with random bytes;
 * 2. what fc_agent_enrolment_to_keep gives goes to fc_agent_flash_put, and after that fc_agent_enrolment_kept;
 * 3. connections as above, by the functions of the enrolment, when fc_agent_enrolment_next_connect_at says so.
 *
 * fc_agent_enrolment_password is the agent's password then. To exchange it, fc_agent_close, and from 1 on with renew.
 *
 * Telemetry that waits for the hub survives the power in a flash of its own: fc_agent_flash_spill_delivered for each
 * FC_AGENT_DELIVERED, and fc_agent_flash_spill_turn before fc_agent_poll_transmit.
 *
 * An agent sends the messages that the program writes. A machine is an agent above that: the program declares what it
 * measures with fc_agent_machine_metric, hands in values with fc_agent_machine_report and events with
 * fc_agent_machine_event, answers FC_AGENT_COMMAND with fc_agent_machine_reply, and drives it as an agent. Batches,
 * deadbands, the birth message, time, and which commands may be done, are the machine's affair.
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

// The agent is in safe mode and takes no telemetry.
#define FC_AGENT_SAFE_MODE 9

// `user_name` is not `tenant/device`.
#define FC_AGENT_USER_NAME 10

// What was kept is no record of an enrolment, or of a later version.
#define FC_AGENT_RECORD 11

// Nothing is kept under this key.
#define FC_AGENT_NOTHING 12

// The flash driver failed: the old value is there, or the new one.
#define FC_AGENT_FLASH 13

// The area does not fit: pages have 256 to 65,536 bytes, in multiples of 256, and begin at such a multiple; there are two of
// them or more.
#define FC_AGENT_AREA 14

// The flash was written by another version, or for another purpose.
#define FC_AGENT_FORMAT 15

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

// Memory for an enrolment in bytes, on any processor; `fc_agent_enrolment_sizeof` says how much exactly.
#define FC_AGENT_ENROLMENT_BYTES 1280

// The longest record of an enrolment in bytes.
#define FC_AGENT_RECORD_BYTES 130

// Random bytes of a secret.
#define FC_AGENT_RANDOM_BYTES 32

// Memory for a store in bytes, on any processor; `fc_agent_flash_sizeof` says how much exactly.
#define FC_AGENT_STORE_BYTES 256

// Memory for a spill in bytes, on any processor; `fc_agent_flash_spill_sizeof` says how much exactly.
#define FC_AGENT_SPILL_BYTES 320

// The longest value in flash in bytes.
#define FC_AGENT_VALUE_BYTES 256

// Key of the enrolment's record. Those from 8 to 31 are the program's own.
#define FC_AGENT_KEY_SECRET 0

// Key of the count of starts.
#define FC_AGENT_KEY_BOOTS 1

// A part of it is not within the bounds of the contract, or all of it longer than `packet_bytes`.
#define FC_AGENT_FORM 16

// Memory for a metric in bytes, on any processor.
#define FC_AGENT_METRIC_BYTES 32

// Memory for a reading of the open batch in bytes, on any processor.
#define FC_AGENT_READING_BYTES 12

// Memory for a method in bytes, on any processor.
#define FC_AGENT_METHOD_BYTES 16

// The longest id of a command in bytes.
#define FC_AGENT_ID_BYTES 64

// The hub has told the time, for the first time in this boot: `fc_agent_machine_utc` knows it from now on.
#define FC_AGENT_TIME 7

// A command that is allowed, in time, and new: `number` is its place in `methods`, `payload` what it is given. It is to be
// answered by `fc_agent_machine_reply`, now or later.
#define FC_AGENT_COMMAND 8

// Settings of the hub were applied: `number` is their version, `payload` what is to be kept and given to
// `fc_agent_machine_restore` after the next start.
#define FC_AGENT_SETTINGS 9

// The condition of an event has ended.
#define FC_AGENT_CLEARED 0

// The condition of an event has begun.
#define FC_AGENT_RAISED 1

// A report without duration.
#define FC_AGENT_REPORTED 2

// The command was done.
#define FC_AGENT_DONE 0

// The command was tried.
#define FC_AGENT_FAILED 1

// The command came too late, and was not begun.
#define FC_AGENT_EXPIRED 2

// This device does not do that, or not now.
#define FC_AGENT_NOT_ALLOWED 3

// The command could not be read.
#define FC_AGENT_MALFORMED 4

// Why the device started: the firmware cannot tell.
#define FC_AGENT_RESET_UNKNOWN 0

// Power came.
#define FC_AGENT_RESET_POWER_ON 1

// By the reset pin.
#define FC_AGENT_RESET_PIN 2

// The firmware wanted it.
#define FC_AGENT_RESET_SOFTWARE 3

// The firmware no longer served its watchdog.
#define FC_AGENT_RESET_WATCHDOG 4

// The supply fell too low.
#define FC_AGENT_RESET_BROWN_OUT 5

// A fault or a panic.
#define FC_AGENT_RESET_FAULT 6

// To start new firmware.
#define FC_AGENT_RESET_UPDATE 7

// An agent, in memory of yours. Used by one thread at a time.
typedef struct FcAgent FcAgent;

// The way to a secret of the device's own, or to the next one, in memory of yours. Used by one thread at a time.
typedef struct FcAgentEnrolment FcAgentEnrolment;

// An agent that decides itself what goes on the wire, in memory of yours: metrics, events, commands and settings. Used by
// one thread at a time.
typedef struct FcAgentMachine FcAgentMachine;

// The flash behind an outbox, in memory of yours. Used by one thread at a time.
typedef struct FcAgentSpill FcAgentSpill;

// Values by key in flash, each as it was put last, whatever moment the power fails at; in memory of yours. Used by one
// thread at a time.
typedef struct FcAgentStore FcAgentStore;

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
    // Number of subscriptions.
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

// Who the device is, and how it is to work. What is pointed at stays as it is for as long as the machine is used, but for
// `methods` itself, `settings` and the crash, which are copied. Texts are ASCII with a final zero.
//
// The memory has `FC_AGENT_STATE_BYTES`, `FC_AGENT_METRIC_BYTES` for each metric, `FC_AGENT_METHOD_BYTES` for each method,
// `FC_AGENT_READING_BYTES` for each reading, twice `packet_bytes`, and the outbox has the rest.
typedef struct {
    // `FC_AGENT_ABI_VERSION`.
    uint32_t abi_version;
    // Entropy for the back-off; two devices must not share it.
    uint32_t seed;
    // Drawn at each start, at random: records that repeat one of an earlier start are taken for repeats and dropped.
    uint64_t boot_id;
    // Names the session at the hub.
    const char *client_id;
    // `tenant/device`, or an access token; NULL where the transport says who the device is, by a certificate.
    const char *user_name;
    // The device's secret; NULL with an access token.
    const uint8_t *password;
    // Its bytes.
    size_t password_len;
    // `d/wm-001/`, with the device's name.
    const char *topic_prefix;
    // The maker's name of the model: 1 to 64 bytes; else there is no birth message.
    const char *model;
    // Version of the firmware: 1 to 32 bytes; else there is no birth message.
    const char *firmware;
    // The maker's code of the crash that ended the last run: 1 to 32 bytes. NULL if none did.
    const char *crash_code;
    // Place, registers, last words of the log; NULL is empty.
    const char *crash_detail;
    // The methods that the device does. All others are refused, whatever the hub says.
    const char *const *methods;
    // Number of methods.
    size_t method_count;
    // How many metrics will be declared, at most 255.
    size_t metric_count;
    // How many readings the open batch can hold, of all metrics together.
    size_t reading_count;
    // The longest message either way, at least 16; 256 for what the hub says by itself. A batch that needs more is sent in
    // several, a longer message of the hub is passed over.
    size_t packet_bytes;
    // NULL is the defaults.
    const FcAgentSettings *settings;
    // A batch is closed so many milliseconds after its first reading. The hub may push another number.
    uint32_t batch_age_ms;
    // A batch is closed with so many samples, 1 to 64.
    uint8_t batch_samples;
    // `FC_AGENT_RESET_POWER_ON` and so on.
    uint8_t reset;
} FcAgentMachineConfig;

// What the device measures, as one channel of its appliance profile. Values are its stored integers: value × 10^decimals.
typedef struct {
    // Channel id of the profile: 1 to 255.
    uint8_t channel;
    // `FC_AGENT_DROP_OLDEST` or `FC_AGENT_DROP_NEWEST`: what gives way when the outbox is full.
    uint8_t overflow;
    // A value that is no farther from the last reading is left out. The hub may push another.
    uint32_t deadband;
    // So many milliseconds after the last reading a value is taken whatever the deadband says; 0 takes each. The hub may
    // push another.
    uint32_t interval_ms;
} FcAgentMetric;

// Names a command until it is answered. It may be copied.
typedef struct {
    // As the hub has it.
    uint8_t id[FC_AGENT_ID_BYTES];
    // Its bytes.
    uint8_t id_len;
    // 1: arguments and detail are JSON. 0: CBOR.
    uint8_t is_json;
} FcAgentCommand;

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
    // A command is not to be begun after this uptime; `UINT64_MAX` if it has no deadline, or the time is not known.
    uint64_t deadline_ms;
    // For the reply.
    FcAgentCommand command;
    // With the prefix, without a final zero; until bytes are handed in.
    const uint8_t *topic;
    // Its bytes.
    size_t topic_len;
    // Until bytes are handed in.
    const uint8_t *payload;
    // Its bytes.
    size_t payload_len;
} FcAgentMachineEvent;

// What the maker has put into the device, and what it has kept. All of it stays as it is for as long as the enrolment is
// used, but for `kept` and `settings`, which are copied.
typedef struct {
    // `FC_AGENT_ABI_VERSION`.
    uint32_t abi_version;
    // Entropy for the back-off; two devices must not share it.
    uint32_t seed;
    // `tenant/device`.
    const char *user_name;
    // Of the claim credential; NULL for a device of a group.
    const char *claim_token;
    // HMAC-SHA256(group key, device) in lower-case hexadecimal; NULL with a claim credential.
    const uint8_t *group_secret;
    // Its bytes.
    size_t group_secret_len;
    // The record that was kept last; NULL if there is none.
    const uint8_t *kept;
    // Its bytes.
    size_t kept_len;
    // NULL is the defaults.
    const FcAgentSettings *settings;
} FcAgentFactory;

// A part of the flash, and how it is reached. The functions give 0 when they have done it, and are given addresses within
// the area: programming comes in multiples of 32 bytes at such multiples, erasing in whole pages, reading anyhow.
typedef struct {
    // Handed to the functions.
    void *context;
    // Reads `len` bytes at `at`.
    int32_t (*read)(void *context, uint32_t at, uint8_t *to, size_t len);
    // Programs `len` bytes at `at`, none of which was programmed since it was erased.
    int32_t (*program)(void *context, uint32_t at, const uint8_t *from, size_t len);
    // Erases `len` bytes at `at`: afterwards they are 0xFF.
    int32_t (*erase)(void *context, uint32_t at, size_t len);
    // Where the first page begins.
    uint32_t start;
    // Bytes of a page: one or more erase units.
    uint32_t page_bytes;
    // Number of pages.
    uint32_t pages;
} FcAgentFlash;

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

// How many starts in a row, with this one, have had no healthy connection: to be kept as one byte at each start, before
// anything that may crash. `kept` is that byte of the start before. Beyond a number of your choice, say 5, the device is
// in a loop: `fc_agent_safe_mode`.
//
// # Safety
//
// `kept` is NULL or has `len` bytes.
uint8_t fc_agent_boots(const uint8_t *kept, size_t len);

// Whether the hub has had this connection for a minute: then 0 is kept as the count of starts, once.
//
// # Safety
//
// As `fc_agent_connected`.
bool fc_agent_is_healthy(const FcAgent *agent, uint64_t now_ms);

// From now on the agent takes no telemetry: session, events, and what comes down go on, so that the device can be helped
// from afar.
//
// # Safety
//
// As `fc_agent_connected`.
void fc_agent_safe_mode(FcAgent *agent);

// Bytes of a machine's state. The memory of `fc_agent_machine_init` has these and what `FcAgentMachineConfig` asks for.
size_t fc_agent_machine_sizeof(void);

// Makes a machine in `memory` and writes to `machine` where it is. `FC_AGENT_OK`, or why not.
//
// # Safety
//
// `memory` has `len` bytes that nobody else uses for as long as the machine is used. What `config` points at is as its
// fields say. `machine` may be written.
int32_t fc_agent_machine_init(void *memory,
                              size_t len,
                              const FcAgentMachineConfig *config,
                              uint64_t now_ms,
                              FcAgentMachine **machine);

// Declares a metric and writes to `id` what `fc_agent_machine_report` names it. `FC_AGENT_NUMBER` if its channel is 0 or was
// declared before, or no memory is left for it.
//
// # Safety
//
// `machine` is NULL or from `fc_agent_machine_init`, here and everywhere. `metric` is NULL or a metric. `id` is NULL or may be
// written.
int32_t fc_agent_machine_metric(FcAgentMachine *machine, const FcAgentMetric *metric, uint8_t *id);

// Hands in a value of a metric, as its channel's stored integer. It becomes a reading if its deadband or its interval says
// so; whether it did. Values of one moment have the same `now_ms`.
//
// # Safety
//
// As `fc_agent_machine_metric`.
bool fc_agent_machine_report(FcAgentMachine *machine, uint8_t metric, int32_t value, uint64_t now_ms);

// Takes an event in: `FC_AGENT_RAISED`, `FC_AGENT_CLEARED` or `FC_AGENT_REPORTED`. It overtakes telemetry. `code` has 1 to 32
// bytes, `detail` up to 1,023; NULL is empty. `FC_AGENT_OK`, or why not; then it is forgotten, and counted as dropped if the
// outbox refused it.
//
// # Safety
//
// As `fc_agent_machine_metric`. `code` and `detail` are NULL or texts.
int32_t fc_agent_machine_event(FcAgentMachine *machine, uint8_t state, const char *code, const char *detail, uint64_t now_ms);

// Answers a command with `FC_AGENT_DONE` and so on. `detail` is what the method gives back: a value in JSON if `is_json` says
// so, else CBOR; it may be empty. `FC_AGENT_OK`, or why not; then it may be given again, later or without detail.
//
// # Safety
//
// As `fc_agent_machine_metric`. `command` is NULL or a command, `detail` is NULL or has `len` bytes.
int32_t fc_agent_machine_reply(FcAgentMachine *machine,
                               const FcAgentCommand *command,
                               uint8_t outcome,
                               const uint8_t *detail,
                               size_t len);

// Closes the open batch, as before a reboot: its readings go into the outbox.
//
// # Safety
//
// As `fc_agent_machine_metric`.
void fc_agent_machine_flush(FcAgentMachine *machine);

// Applies settings that were kept from an earlier `FC_AGENT_SETTINGS`; whether they are any. To be called once all metrics
// are declared.
//
// # Safety
//
// As `fc_agent_machine_metric`. `kept` is NULL or has `len` bytes.
bool fc_agent_machine_restore(FcAgentMachine *machine, const uint8_t *kept, size_t len);

// Tells the civil time in milliseconds since 1970, for a device that has a clock of its own: the hub is not asked then.
// Whether it was taken; only the first time of a boot is.
//
// # Safety
//
// As `fc_agent_machine_metric`.
bool fc_agent_machine_set_utc(FcAgentMachine *machine, uint64_t utc_ms, uint64_t now_ms);

// Civil time in milliseconds since 1970, once the hub or the program has told it; `UINT64_MAX` before.
//
// # Safety
//
// As `fc_agent_machine_metric`.
uint64_t fc_agent_machine_utc(const FcAgentMachine *machine, uint64_t now_ms);

// Until the next start nothing is reported: session, commands, settings and events go on, and the hub is told by the event
// `safe-mode`. The mode is on whatever this gives: `FC_AGENT_OK`, or why that event is not on its way.
//
// # Safety
//
// As `fc_agent_machine_metric`.
int32_t fc_agent_machine_safe_mode(FcAgentMachine *machine, uint64_t now_ms);

// As `fc_agent_is_healthy`.
//
// # Safety
//
// As `fc_agent_machine_metric`.
bool fc_agent_machine_is_healthy(const FcAgentMachine *machine, uint64_t now_ms);

// The transport is connected, as `fc_agent_connected`.
//
// # Safety
//
// As `fc_agent_machine_metric`.
void fc_agent_machine_connected(FcAgentMachine *machine, uint64_t now_ms, uint32_t entropy);

// The transport is closed, by either side, or could not be opened, as `fc_agent_disconnected`.
//
// # Safety
//
// As `fc_agent_machine_metric`.
void fc_agent_machine_disconnected(FcAgentMachine *machine, uint64_t now_ms);

// Takes in what the transport received, as `fc_agent_bytes`.
//
// # Safety
//
// As `fc_agent_machine_metric`. `received` is NULL or has `len` bytes.
size_t fc_agent_machine_bytes(FcAgentMachine *machine, const uint8_t *received, size_t len, uint64_t now_ms);

// Writes to `event` what happened; false, and an event of no kind, if nothing is left to tell.
//
// # Safety
//
// As `fc_agent_machine_metric`. `event` is NULL or may be written.
bool fc_agent_machine_poll_event(FcAgentMachine *machine, FcAgentMachineEvent *event, uint64_t now_ms);

// Writes to `out` what is to be sent, as `fc_agent_poll_transmit`. It closes a batch that is due as well.
//
// # Safety
//
// As `fc_agent_machine_metric`. `out` is NULL or has `len` bytes that may be written; they are set to zero first.
size_t fc_agent_machine_poll_transmit(FcAgentMachine *machine, uint8_t *out, size_t len, uint64_t now_ms);

// Says goodbye, as `fc_agent_close`. The open batch goes into the outbox and waits there.
//
// # Safety
//
// As `fc_agent_machine_metric`.
void fc_agent_machine_close(FcAgentMachine *machine);

// When to come back even if nothing happens, in uptime; `UINT64_MAX` if there is no such time.
//
// # Safety
//
// As `fc_agent_machine_metric`.
uint64_t fc_agent_machine_next_deadline(const FcAgentMachine *machine);

// When to open the transport, in uptime: 0, and so at once, at the start. `UINT64_MAX` while there is one.
//
// # Safety
//
// As `fc_agent_machine_metric`.
uint64_t fc_agent_machine_next_connect_at(const FcAgentMachine *machine);

// Bytes of an enrolment with the memory that its connections work in. It is needed until the device is done.
size_t fc_agent_enrolment_sizeof(void);

// Makes an enrolment in `memory` and writes to `enrolment` where it is. `FC_AGENT_OK`, or why not.
//
// # Safety
//
// `memory` has `len` bytes that nobody else uses for as long as the enrolment is used. What `factory` points at is as its
// fields say. `enrolment` may be written.
int32_t fc_agent_enrolment_init(void *memory, size_t len, const FcAgentFactory *factory, FcAgentEnrolment **enrolment);

// Whether the device has no secret of its own yet, neither one that lets it in nor one on its way.
//
// # Safety
//
// `enrolment` is NULL or from `fc_agent_enrolment_init`, here and everywhere.
bool fc_agent_enrolment_needs_secret(const FcAgentEnrolment *enrolment);

// Makes the next secret: the first one, or the one to exchange the present one for. False, and nothing is changed, if one
// is on its way already, if something is still to be kept, or if the bytes cannot be random.
//
// # Safety
//
// `random` is NULL or has `FC_AGENT_RANDOM_BYTES` bytes of the board's generator.
bool fc_agent_enrolment_renew(FcAgentEnrolment *enrolment, const uint8_t *random);

// The record that is to be kept now, in place of the one before; NULL if there is none. Until it is kept there is no
// connection. It stays as it is until the next call with this enrolment.
//
// # Safety
//
// `len` is NULL or may be written.
const uint8_t *fc_agent_enrolment_to_keep(const FcAgentEnrolment *enrolment, size_t *len);

// The record is kept, and will be there after a power cut.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
void fc_agent_enrolment_kept(FcAgentEnrolment *enrolment);

// Whether the device has a secret of its own, which is kept, and nothing else is on its way.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
bool fc_agent_enrolment_is_done(const FcAgentEnrolment *enrolment);

// Whether the hub has refused both what lets the device in now and its next secret. It is asked on; meanwhile a device
// with a password may work.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
bool fc_agent_enrolment_is_refused(const FcAgentEnrolment *enrolment);

// What lets the device in now with its user name; NULL before a claim is answered. To be copied for `FcAgentConfig`: it
// stays as it is until the next call with this enrolment.
//
// # Safety
//
// `len` is NULL or may be written.
const uint8_t *fc_agent_enrolment_password(const FcAgentEnrolment *enrolment, size_t *len);

// The transport is connected, as `fc_agent_connected`.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
void fc_agent_enrolment_connected(FcAgentEnrolment *enrolment, uint64_t now_ms, uint32_t entropy);

// The transport is closed, by either side, or could not be opened, as `fc_agent_disconnected`.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
void fc_agent_enrolment_disconnected(FcAgentEnrolment *enrolment, uint64_t now_ms);

// Takes in what the transport received, as `fc_agent_bytes`.
//
// # Safety
//
// `received` is NULL or has `len` bytes.
size_t fc_agent_enrolment_bytes(FcAgentEnrolment *enrolment, const uint8_t *received, size_t len, uint64_t now_ms);

// Why the connection is over, by the numbers of `FC_AGENT_DISCONNECTED`, once: the transport is to be closed and
// `fc_agent_enrolment_disconnected` called. 0 if there is nothing to tell. To be called before
// `fc_agent_enrolment_poll_transmit`, and whenever bytes came.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
uint32_t fc_agent_enrolment_poll_event(FcAgentEnrolment *enrolment, uint64_t now_ms);

// Writes to `out` what is to be sent, as `fc_agent_poll_transmit`.
//
// # Safety
//
// `out` is NULL or has `len` bytes that may be written; they are set to zero first.
size_t fc_agent_enrolment_poll_transmit(FcAgentEnrolment *enrolment, uint8_t *out, size_t len, uint64_t now_ms);

// When to come back even if nothing happens, in uptime; `UINT64_MAX` if there is no such time.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
uint64_t fc_agent_enrolment_next_deadline(const FcAgentEnrolment *enrolment);

// When to open the transport, in uptime; `UINT64_MAX` while there is one, and while none is wanted.
//
// # Safety
//
// As `fc_agent_enrolment_needs_secret`.
uint64_t fc_agent_enrolment_next_connect_at(const FcAgentEnrolment *enrolment);

// Bytes of a store.
size_t fc_agent_flash_sizeof(void);

// Reads what the area holds, makes a store of it in `memory` and writes to `store` where that is. `FC_AGENT_OK`, or why
// not. An area that is erased holds nothing; nothing is written before the first `fc_agent_flash_put`.
//
// # Safety
//
// `memory` has `len` bytes that nobody else uses for as long as the store is used. `flash` is copied, and its functions do
// what its fields say. `store` may be written.
int32_t fc_agent_flash_open(void *memory, size_t len, const FcAgentFlash *flash, FcAgentStore **store);

// Reads the value of `key` into `value` and writes its bytes to `got`. `FC_AGENT_OK`; `FC_AGENT_NOTHING` if it was never
// put; `FC_AGENT_MEMORY` if `len` is too small for it; or why not.
//
// # Safety
//
// `store` is NULL or from `fc_agent_flash_open`, here and everywhere. `value` is NULL or has `len` bytes that may be
// written; they are set to zero first. `got` is NULL or may be written.
int32_t fc_agent_flash_get(FcAgentStore *store, uint8_t key, uint8_t *value, size_t len, size_t *got);

// Keeps `value` as the value of `key`, 0 to 31: at most `FC_AGENT_VALUE_BYTES`. `FC_AGENT_OK`: it is kept, and will be
// there after a power cut. `FC_AGENT_FLASH`: the old value is there or the new one, and it may be tried again. Else nothing
// was changed.
//
// # Safety
//
// As `fc_agent_flash_get`. `value` is NULL or has `len` bytes.
int32_t fc_agent_flash_put(FcAgentStore *store, uint8_t key, const uint8_t *value, size_t len);

// Bytes of a spill.
size_t fc_agent_flash_spill_sizeof(void);

// Reads what the area holds, makes a spill of it in `memory` and writes to `spill` where that is. `FC_AGENT_OK`, or why not.
// The area is not that of a store. When it is full the oldest page gives way with `FC_AGENT_DROP_OLDEST`; with
// `FC_AGENT_DROP_NEWEST` new messages stay in memory.
//
// # Safety
//
// `memory` has `len` bytes that nobody else uses for as long as the spill is used. `flash` is copied, and its functions do
// what its fields say. `spill` may be written.
int32_t fc_agent_flash_spill_open(void *memory, size_t len, const FcAgentFlash *flash, uint8_t overflow, FcAgentSpill **spill);

// Moves telemetry of the agent to flash and back, as the connection is: before each `fc_agent_poll_transmit`. `scratch` is as
// long as the longest message with its topic, and two bytes. `FC_AGENT_OK`, or why not; no message is lost by that.
//
// # Safety
//
// `spill` is NULL or from `fc_agent_flash_spill_open`, here and everywhere. `agent` is NULL or an agent. `scratch` is NULL or
// has `len` bytes that may be written; they are set to zero first.
int32_t fc_agent_flash_spill_turn(FcAgentSpill *spill, FcAgent *agent, uint8_t *scratch, size_t len);

// As `fc_agent_flash_spill_turn`, before each `fc_agent_machine_poll_transmit`. What was dropped is told to the hub.
//
// # Safety
//
// As `fc_agent_flash_spill_turn`. `machine` is NULL or a machine.
int32_t fc_agent_flash_spill_machine(FcAgentSpill *spill, FcAgentMachine *machine, uint8_t *scratch, size_t len);

// The hub has the message of this token, as `FC_AGENT_DELIVERED` says: flash forgets it, if it was there. `FC_AGENT_OK`, or
// why not; then it may be sent once more.
//
// # Safety
//
// As `fc_agent_flash_spill_turn`.
int32_t fc_agent_flash_spill_delivered(FcAgentSpill *spill, uint32_t token);

// Messages in flash that the hub does not have yet, as far as is known.
//
// # Safety
//
// As `fc_agent_flash_spill_turn`.
uint32_t fc_agent_flash_spill_pending(const FcAgentSpill *spill);

// Messages that flash has dropped for want of room since the last call, for a program that tells the hub itself.
//
// # Safety
//
// As `fc_agent_flash_spill_turn`.
uint32_t fc_agent_flash_spill_dropped(FcAgentSpill *spill);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FORECALL_AGENT_H */
