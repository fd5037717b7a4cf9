//! The functions as a C program calls them.

use agent_sdk_ffi::*;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

const CONNECT: &[u8] =
    b"\x10\x2F\x00\x04MQTT\x04\xEC\x00\x3C\x00\x02wm\x00\x06d/wm/s\x00\x03off\x00\x04t/wm\x00\x0Csecret\x00\xFFmore";
const CONNACK: &[u8] = &[0x20, 2, 0, 0];
const SUBSCRIBE: &[u8] = b"\x82\x0D\xFF\xFF\x00\x08d/wm/c/+\x01";
const SUBACK: &[u8] = &[0x90, 3, 0xFF, 0xFF, 1];
const REPORT: &[u8] = b"\x32\x0D\x00\x06d/wm/t\x00\x01abc";
const PUBACK: &[u8] = &[0x40, 2, 0, 1];
const COMMAND: &[u8] = b"\x30\x0C\x00\x08d/wm/c/1go";

/// Pointers to it are as a C program has them; it lives as long as the program.
struct Filters([*const c_char; 1]);

// SAFETY: it points at a constant.
unsafe impl Sync for Filters {}

static FILTERS: Filters = Filters([c"c/+".as_ptr()]);

fn config() -> FcAgentConfig {
    let password = b"secret\x00\xFFmore";
    FcAgentConfig {
        abi_version: FC_AGENT_ABI_VERSION,
        seed: 1,
        client_id: c"wm".as_ptr(),
        user_name: c"t/wm".as_ptr(),
        password: password.as_ptr(),
        password_len: password.len(),
        topic_prefix: c"d/wm/".as_ptr(),
        will_topic: c"s".as_ptr(),
        will_payload: b"off".as_ptr(),
        will_payload_len: 3,
        subscriptions: FILTERS.0.as_ptr(),
        subscription_count: 1,
        receive_bytes: 64,
        settings: null(),
    }
}

/// Memory for an agent with this much beside its state. Tests do not give it back.
fn memory(rest: usize) -> (*mut c_void, usize) {
    let len = fc_agent_sizeof() + rest;
    let words: &'static mut [u64] = vec![u64::MAX; len.div_ceil(8)].leak();
    (words.as_mut_ptr().cast(), len)
}

fn init(memory: (*mut c_void, usize), config: &FcAgentConfig) -> Result<*mut FcAgent, i32> {
    let mut agent = null_mut();
    // SAFETY: the memory is as long as it says, and what the configuration points at lives on.
    match unsafe { fc_agent_init(memory.0, memory.1, config, &mut agent) } {
        FC_AGENT_OK => Ok(agent),
        why => Err(why),
    }
}

fn agent() -> *mut FcAgent {
    init(memory(64 + 256), &config()).expect("the configuration is right")
}

fn message(topic: &'static CStr, payload: &'static [u8]) -> FcAgentPublish {
    FcAgentPublish {
        topic: topic.as_ptr(),
        payload: payload.as_ptr(),
        payload_len: payload.len(),
        lane: FC_AGENT_TELEMETRY,
        qos: 1,
        overflow: FC_AGENT_DROP_OLDEST,
        retain: 0,
    }
}

fn publish(agent: *mut FcAgent, message: &FcAgentPublish) -> Result<u32, i32> {
    let mut token = u32::MAX;
    // SAFETY: an agent, and a message whose parts are constants.
    match unsafe { fc_agent_publish(agent, message, &mut token) } {
        FC_AGENT_OK => Ok(token),
        why => Err(why),
    }
}

/// What the agent writes, taken from it in small pieces.
fn sent(agent: *mut FcAgent, now_ms: u64) -> Vec<u8> {
    let mut sent = Vec::new();
    let mut room = [0xEE; 5];
    loop {
        // SAFETY: an agent, and room of that length.
        let count = unsafe { fc_agent_poll_transmit(agent, room.as_mut_ptr(), room.len(), now_ms) };
        if count == 0 {
            return sent;
        }
        sent.extend(&room[..count]);
    }
}

/// Hands bytes in, all of which are taken.
fn receive(agent: *mut FcAgent, bytes: &[u8], now_ms: u64) {
    // SAFETY: an agent, and bytes of that length.
    let taken = unsafe { fc_agent_bytes(agent, bytes.as_ptr(), bytes.len(), now_ms) };
    assert_eq!(taken, bytes.len());
}

/// The next event, with topic and payload, if there is one.
fn told(agent: *mut FcAgent) -> Option<(FcAgentEvent, Vec<u8>, Vec<u8>)> {
    let mut event = std::mem::MaybeUninit::uninit();
    // SAFETY: an agent, and room for an event.
    let is_told = unsafe { fc_agent_poll_event(agent, event.as_mut_ptr()) };
    if !is_told {
        return None;
    }
    // SAFETY: it was written.
    let event: FcAgentEvent = unsafe { event.assume_init() };
    let copy = |at: *const u8, len: usize| {
        if at.is_null() {
            return Vec::new();
        }
        // SAFETY: lent until bytes are handed in.
        let bytes = unsafe { std::slice::from_raw_parts(at, len) };
        bytes.to_vec()
    };
    let topic = copy(event.topic, event.topic_len);
    let payload = copy(event.payload, event.payload_len);
    Some((event, topic, payload))
}

fn connect(agent: *mut FcAgent, now_ms: u64) {
    // SAFETY: an agent.
    unsafe { fc_agent_connected(agent, now_ms, 0) };
    assert_eq!(sent(agent, now_ms), CONNECT);
    receive(agent, CONNACK, now_ms);
    let (event, ..) = told(agent).expect("an event");
    assert_eq!((event.kind, event.session_present), (FC_AGENT_CONNECTED, 0));
}

fn next_deadline(agent: *const FcAgent) -> u64 {
    // SAFETY: an agent.
    unsafe { fc_agent_next_deadline(agent) }
}

fn next_connect_at(agent: *const FcAgent) -> u64 {
    // SAFETY: an agent.
    unsafe { fc_agent_next_connect_at(agent) }
}

#[test]
fn a_conversation() {
    let agent = agent();
    assert_eq!(next_connect_at(agent), 0);
    assert_eq!(publish(agent, &message(c"t", b"abc")), Ok(0));
    connect(agent, 1_000);
    assert_eq!(next_connect_at(agent), u64::MAX);
    assert_eq!(sent(agent, 1_000), [SUBSCRIBE, REPORT].concat());
    receive(agent, SUBACK, 1_000);
    let (event, ..) = told(agent).unwrap();
    assert_eq!((event.kind, event.number), (FC_AGENT_SUBSCRIBED, 0));
    receive(agent, PUBACK, 1_000);
    let (event, ..) = told(agent).unwrap();
    assert_eq!((event.kind, event.number), (FC_AGENT_DELIVERED, 0));
    receive(agent, COMMAND, 2_000);
    let (event, topic, payload) = told(agent).unwrap();
    assert_eq!(event.kind, FC_AGENT_MESSAGE);
    assert_eq!((&topic[..], &payload[..]), (&b"d/wm/c/1"[..], &b"go"[..]));
    assert!(told(agent).is_none());
    assert_eq!(next_deadline(agent), 1_000 + 45_000, "a ping");
    // SAFETY: an agent.
    unsafe { fc_agent_close(agent) };
    assert_eq!(sent(agent, 3_000), [0xE0, 0]);
    let (event, ..) = told(agent).unwrap();
    assert_eq!((event.kind, event.number), (FC_AGENT_DISCONNECTED, FC_AGENT_CLOSED));
    assert_eq!(next_deadline(agent), u64::MAX);
    // SAFETY: an agent.
    unsafe { fc_agent_disconnected(agent, 4_000) };
    let at = next_connect_at(agent);
    assert!((4_000..=5_000).contains(&at), "{at}");
    assert_eq!(next_deadline(agent), at);
}

#[test]
fn reasons_and_drops_have_their_numbers() {
    let agent = agent();
    // SAFETY: an agent.
    unsafe { fc_agent_connected(agent, 0, 0) };
    sent(agent, 0);
    receive(agent, &[0x20, 2, 0, 5], 0);
    let (event, ..) = told(agent).unwrap();
    assert_eq!(
        (event.kind, event.number),
        (FC_AGENT_DISCONNECTED, FC_AGENT_REFUSED + 5)
    );
    // SAFETY: an agent.
    unsafe { fc_agent_disconnected(agent, 0) };
    let mut event = message(c"e", &[0; 200]);
    (event.lane, event.overflow) = (FC_AGENT_EVENT, FC_AGENT_DROP_NEWEST);
    assert_eq!(publish(agent, &event), Ok(0));
    assert_eq!(publish(agent, &event), Err(FC_AGENT_FULL));
    let (dropped, ..) = told(agent).unwrap();
    assert_eq!(
        (dropped.kind, dropped.lane, dropped.number),
        (FC_AGENT_DROPPED, FC_AGENT_EVENT, 1)
    );
}

#[test]
fn a_message_that_is_wrong_is_refused() {
    let agent = agent();
    let right = message(c"t", b"abc");
    let numbers = [
        FcAgentPublish { lane: 2, ..right },
        FcAgentPublish { qos: 2, ..right },
        FcAgentPublish { overflow: 2, ..right },
        FcAgentPublish { retain: 2, ..right },
    ];
    for wrong in numbers {
        assert_eq!(publish(agent, &wrong), Err(FC_AGENT_NUMBER));
    }
    assert_eq!(publish(agent, &message(c"a/#", b"")), Err(FC_AGENT_TOPIC));
    assert_eq!(publish(agent, &message(c"", b"")), Err(FC_AGENT_TOPIC));
    assert_eq!(publish(agent, &message(c"\xFF", b"")), Err(FC_AGENT_TEXT));
    let nothing = FcAgentPublish { topic: null(), ..right };
    assert_eq!(publish(agent, &nothing), Err(FC_AGENT_TEXT));
    let nothing = FcAgentPublish {
        payload: null(),
        ..right
    };
    assert_eq!(publish(agent, &nothing), Err(FC_AGENT_NULL));
    assert_eq!(publish(agent, &message(c"t", &[0; 400])), Err(FC_AGENT_TOO_LONG));
    let empty = FcAgentPublish {
        payload: null(),
        payload_len: 0,
        ..right
    };
    assert_eq!(publish(agent, &empty), Ok(0), "the first that was taken in");
}

#[test]
fn a_configuration_that_is_wrong_is_refused() {
    let right = config();
    assert_eq!(fc_agent_abi_version(), FC_AGENT_ABI_VERSION);
    let no_filters = FcAgentConfig {
        subscriptions: null(),
        ..right
    };
    let no_password = FcAgentConfig {
        password: null(),
        ..right
    };
    let long: &'static mut [u8] = vec![b'x'; 1_100].leak();
    let cases = [
        (
            FcAgentConfig {
                abi_version: 2,
                ..right
            },
            FC_AGENT_ABI,
        ),
        (no_filters, FC_AGENT_NULL),
        (no_password, FC_AGENT_NULL),
        (
            FcAgentConfig {
                subscription_count: 9,
                ..right
            },
            FC_AGENT_TEXT,
        ),
        (
            FcAgentConfig {
                client_id: c"\x80".as_ptr(),
                ..right
            },
            FC_AGENT_TEXT,
        ),
        (
            FcAgentConfig {
                user_name: long.as_ptr().cast(),
                ..right
            },
            FC_AGENT_TEXT,
        ),
        (
            FcAgentConfig {
                receive_bytes: 15,
                ..right
            },
            FC_AGENT_MEMORY,
        ),
        (
            FcAgentConfig {
                receive_bytes: 400,
                ..right
            },
            FC_AGENT_MEMORY,
        ),
        (
            FcAgentConfig {
                receive_bytes: usize::MAX,
                ..right
            },
            FC_AGENT_MEMORY,
        ),
    ];
    for (index, (config, expected)) in cases.into_iter().enumerate() {
        assert_eq!(init(memory(320), &config), Err(expected), "case {index}");
    }
    assert_eq!(init((null_mut(), 4_096), &right), Err(FC_AGENT_NULL));
    let (at, len) = memory(320);
    assert_eq!(init((at, fc_agent_sizeof() - 1), &right), Err(FC_AGENT_MEMORY));
    assert_eq!(init((at.wrapping_byte_add(4), len - 4), &right), Err(FC_AGENT_MEMORY));
    // SAFETY: NULL is allowed.
    let nothing = unsafe { fc_agent_init(at, len, null(), &mut null_mut()) };
    assert_eq!(nothing, FC_AGENT_NULL);
    // SAFETY: NULL is allowed.
    let nowhere = unsafe { fc_agent_init(at, len, &right, null_mut()) };
    assert_eq!(nowhere, FC_AGENT_NULL);
}

#[test]
fn settings_are_the_defaults_but_for_what_is_changed() {
    let mut settings = std::mem::MaybeUninit::uninit();
    // SAFETY: there is room for settings.
    unsafe { fc_agent_default_settings(settings.as_mut_ptr()) };
    // SAFETY: they were written.
    let mut settings: FcAgentSettings = unsafe { settings.assume_init() };
    assert_eq!((settings.keep_alive_s, settings.window), (60, 8));
    settings.connack_limit_ms = 777;
    let changed = FcAgentConfig {
        settings: &settings,
        ..config()
    };
    let agent = init(memory(320), &changed).unwrap();
    // SAFETY: an agent.
    unsafe { fc_agent_connected(agent, 1_000, 0) };
    assert_eq!(next_deadline(agent), 1_777);
}

#[test]
fn an_agent_of_null_does_nothing() {
    let agent = null_mut();
    connected_and_closed(agent);
    assert_eq!(publish(agent, &message(c"t", b"")), Err(FC_AGENT_NULL));
    assert!(sent(agent, 0).is_empty());
    receive(agent, b"abc", 0);
    assert!(told(agent).is_none());
    assert_eq!((next_deadline(agent), next_connect_at(agent)), (u64::MAX, u64::MAX));
}

fn connected_and_closed(agent: *mut FcAgent) {
    // SAFETY: NULL is allowed.
    unsafe { fc_agent_connected(agent, 0, 0) };
    // SAFETY: NULL is allowed.
    unsafe { fc_agent_close(agent) };
    // SAFETY: NULL is allowed.
    unsafe { fc_agent_disconnected(agent, 0) };
}

#[test]
fn in_safe_mode_no_telemetry_is_taken_and_events_are() {
    let agent = agent();
    let event = FcAgentPublish {
        lane: FC_AGENT_EVENT,
        ..message(c"e", b"fault")
    };
    assert_eq!(publish(agent, &message(c"t", b"abc")), Ok(0));
    // SAFETY: an agent.
    unsafe { fc_agent_safe_mode(agent) };
    assert_eq!(publish(agent, &message(c"t", b"abc")), Err(FC_AGENT_SAFE_MODE));
    assert_eq!(publish(agent, &event), Ok(1));
    // SAFETY: NULL is allowed.
    unsafe { fc_agent_safe_mode(null_mut()) };
}

#[test]
fn a_connection_is_healthy_after_a_minute_and_starts_without_one_are_counted() {
    let is_healthy = |agent: *const FcAgent, now_ms: u64| {
        // SAFETY: NULL or an agent.
        unsafe { fc_agent_is_healthy(agent, now_ms) }
    };
    let agent = agent();
    assert!(!is_healthy(agent, 1_000));
    connect(agent, 1_000);
    assert!(!is_healthy(agent, 60_999));
    assert!(is_healthy(agent, 61_000));
    assert!(!is_healthy(null(), 61_000));
    let kept = [&[][..], &[0], &[4], &[255], &[4, 4]];
    let starts = kept.map(|kept: &[u8]| {
        // SAFETY: bytes of that length.
        unsafe { fc_agent_boots(kept.as_ptr(), kept.len()) }
    });
    assert_eq!(starts, [1, 1, 5, 255, 1]);
    // SAFETY: NULL is allowed.
    assert_eq!(unsafe { fc_agent_boots(null(), 0) }, 1);
}
