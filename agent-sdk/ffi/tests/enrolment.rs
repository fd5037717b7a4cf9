//! First boot as a C program writes it: secrets in a flash that it drives itself, whose power fails at every step.

use agent_sdk_ffi::*;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

const PAGE_BYTES: usize = 512;
const START: usize = 1_024;
const FLASH_BYTES: usize = START + 2 * PAGE_BYTES;

/// A flash of words of 32 bytes, which counts what it does and fails from one step on.
struct Flash {
    cells: Vec<u8>,
    steps: usize,
    fails_at: usize,
}

impl Flash {
    fn new() -> Self {
        Self {
            cells: vec![0xFF; FLASH_BYTES],
            steps: 0,
            fails_at: usize::MAX,
        }
    }

    /// Whether the step that begins now is done, or cut in its midst; `None` is not begun.
    fn step(&mut self) -> Option<bool> {
        self.steps += 1;
        (self.steps <= self.fails_at).then_some(self.steps < self.fails_at)
    }
}

unsafe extern "C" fn read(context: *mut c_void, at: u32, to: *mut u8, len: usize) -> i32 {
    // SAFETY: a flash that only these functions use now.
    let flash = unsafe { &*context.cast::<Flash>() };
    let from = &flash.cells[at as usize..][..len];
    // SAFETY: the store gives room for that many bytes.
    unsafe { to.copy_from_nonoverlapping(from.as_ptr(), len) };
    0
}

unsafe extern "C" fn program(context: *mut c_void, at: u32, from: *const u8, len: usize) -> i32 {
    // SAFETY: a flash that only these functions use now.
    let flash = unsafe { &mut *context.cast::<Flash>() };
    // SAFETY: the store gives that many bytes.
    let from = unsafe { std::slice::from_raw_parts(from, len) };
    assert!(at.is_multiple_of(32) && len.is_multiple_of(32) && at as usize >= START);
    for (place, word) in (at as usize..).step_by(32).zip(from.chunks(32)) {
        let whole = match flash.step() {
            None => return 5,
            Some(true) => 32,
            Some(false) => 16,
        };
        let cells = &mut flash.cells[place..][..32];
        assert!(cells.iter().all(|cell| *cell == 0xFF), "a word is programmed twice");
        cells[..whole].copy_from_slice(&word[..whole]);
        if whole < 32 {
            return 5;
        }
    }
    0
}

unsafe extern "C" fn erase(context: *mut c_void, at: u32, len: usize) -> i32 {
    // SAFETY: a flash that only these functions use now.
    let flash = unsafe { &mut *context.cast::<Flash>() };
    assert_eq!((at as usize % PAGE_BYTES, len), (0, PAGE_BYTES));
    let cells = &mut flash.cells[at as usize..][..len];
    cells.fill(0xFF);
    match flash.step() {
        Some(true) => 0,
        Some(false) | None => 5,
    }
}

fn driver(flash: &mut Flash) -> FcAgentFlash {
    FcAgentFlash {
        context: std::ptr::from_mut(flash).cast(),
        read: Some(read),
        program: Some(program),
        erase: Some(erase),
        start: START as u32,
        page_bytes: PAGE_BYTES as u32,
        pages: 2,
    }
}

/// Memory for so many bytes, aligned. Tests do not give it back.
fn memory(len: usize) -> *mut c_void {
    let words: &'static mut [u64] = vec![u64::MAX; len.div_ceil(8)].leak();
    words.as_mut_ptr().cast()
}

fn open(driver: &FcAgentFlash) -> Result<*mut FcAgentStore, i32> {
    let mut store = null_mut();
    // SAFETY: memory of that length, and a driver whose flash lives on.
    match unsafe { fc_agent_flash_open(memory(FC_AGENT_STORE_BYTES), FC_AGENT_STORE_BYTES, driver, &mut store) } {
        FC_AGENT_OK => Ok(store),
        why => Err(why),
    }
}

fn get(store: *mut FcAgentStore, key: u8) -> Result<Vec<u8>, i32> {
    let mut value = [0xEE; FC_AGENT_VALUE_BYTES];
    let mut got = usize::MAX;
    // SAFETY: a store, and room of that length.
    match unsafe { fc_agent_flash_get(store, key, value.as_mut_ptr(), value.len(), &mut got) } {
        FC_AGENT_OK => Ok(value[..got].to_vec()),
        why => Err(why),
    }
}

fn put(store: *mut FcAgentStore, key: u8, value: &[u8]) -> i32 {
    // SAFETY: a store, and bytes of that length.
    unsafe { fc_agent_flash_put(store, key, value.as_ptr(), value.len()) }
}

fn factory(kept: &[u8]) -> FcAgentFactory {
    FcAgentFactory {
        abi_version: FC_AGENT_ABI_VERSION,
        seed: 1,
        user_name: c"acme/wm".as_ptr(),
        claim_token: c"claim_1".as_ptr(),
        group_secret: null(),
        group_secret_len: 0,
        kept: if kept.is_empty() { null() } else { kept.as_ptr() },
        kept_len: kept.len(),
        settings: null(),
    }
}

fn begin(factory: &FcAgentFactory) -> Result<*mut FcAgentEnrolment, i32> {
    let len = fc_agent_enrolment_sizeof();
    assert!(len <= FC_AGENT_ENROLMENT_BYTES);
    let mut enrolment = null_mut();
    // SAFETY: memory of that length, and a factory whose parts live on.
    match unsafe { fc_agent_enrolment_init(memory(len), len, factory, &mut enrolment) } {
        FC_AGENT_OK => Ok(enrolment),
        why => Err(why),
    }
}

/// What is lent with its length; nothing where it is NULL.
fn lent(at: *const u8, len: usize) -> Vec<u8> {
    if at.is_null() {
        return Vec::new();
    }
    // SAFETY: it was lent just now, with this length.
    let bytes = unsafe { std::slice::from_raw_parts(at, len) };
    bytes.to_vec()
}

fn to_keep(enrolment: *const FcAgentEnrolment) -> Vec<u8> {
    let mut len = 0;
    // SAFETY: an enrolment.
    let at = unsafe { fc_agent_enrolment_to_keep(enrolment, &mut len) };
    lent(at, len)
}

fn password(enrolment: *const FcAgentEnrolment) -> Vec<u8> {
    let mut len = 0;
    // SAFETY: an enrolment.
    let at = unsafe { fc_agent_enrolment_password(enrolment, &mut len) };
    lent(at, len)
}

/// A connection to a hub that says yes; the bytes that it got.
fn connection(enrolment: *mut FcAgentEnrolment) -> Vec<u8> {
    const CONNACK: &[u8] = &[0x20, 2, 0, 0];
    const SUBACK: &[u8] = &[0x90, 3, 0xFF, 0xFF, 1];
    const YES: &[u8] = b"\x30\x16\x00\x05p/1/r{\"status\":\"ok\"}";
    // SAFETY: an enrolment.
    let at = unsafe { fc_agent_enrolment_next_connect_at(enrolment) };
    // SAFETY: an enrolment.
    unsafe { fc_agent_enrolment_connected(enrolment, at, 0) };
    let mut got = Vec::new();
    loop {
        // SAFETY: an enrolment.
        if unsafe { fc_agent_enrolment_poll_event(enrolment, at) } != 0 {
            // SAFETY: an enrolment.
            unsafe { fc_agent_enrolment_disconnected(enrolment, at) };
            return got;
        }
        let mut out = [0; 512];
        // SAFETY: an enrolment, and room of that length.
        let count = unsafe { fc_agent_enrolment_poll_transmit(enrolment, out.as_mut_ptr(), out.len(), at) };
        assert!(count > 0, "it waits for nothing");
        got.extend(&out[..count]);
        let answer: &[u8] = match out[0] {
            0x10 => CONNACK,
            0x82 => SUBACK,
            0x30 => YES,
            _ => &[],
        };
        // SAFETY: an enrolment, and bytes of that length.
        let taken = unsafe { fc_agent_enrolment_bytes(enrolment, answer.as_ptr(), answer.len(), at) };
        assert_eq!(taken, answer.len());
    }
}

/// A program's first boot from a start on: its password, or that its flash failed.
fn boot(flash: &mut Flash, random: u8) -> Result<Vec<u8>, i32> {
    let driver = driver(flash);
    let store = open(&driver)?;
    let kept = match get(store, FC_AGENT_KEY_SECRET) {
        Ok(kept) => kept,
        Err(FC_AGENT_NOTHING) => Vec::new(),
        Err(why) => return Err(why),
    };
    let enrolment = begin(&factory(&kept)).expect("what was kept is a record");
    loop {
        // SAFETY: an enrolment.
        if unsafe { fc_agent_enrolment_needs_secret(enrolment) } {
            let random: [u8; FC_AGENT_RANDOM_BYTES] = std::array::from_fn(|at| random ^ (at as u8 * 3));
            // SAFETY: an enrolment, and as many bytes as it wants.
            assert!(unsafe { fc_agent_enrolment_renew(enrolment, random.as_ptr()) });
        }
        let record = to_keep(enrolment);
        if !record.is_empty() {
            match put(store, FC_AGENT_KEY_SECRET, &record) {
                FC_AGENT_OK => {}
                why => return Err(why),
            }
            // SAFETY: an enrolment.
            unsafe { fc_agent_enrolment_kept(enrolment) };
            continue;
        }
        // SAFETY: an enrolment.
        if unsafe { fc_agent_enrolment_is_done(enrolment) } {
            return Ok(password(enrolment));
        }
        let said = connection(enrolment);
        let kept = get(store, FC_AGENT_KEY_SECRET).expect("it was kept before");
        let secret = &kept[2..66];
        assert!(
            said.windows(64).any(|window| window == secret),
            "another secret than was kept"
        );
    }
}

#[test]
fn a_power_cut_at_every_step_of_the_flash_leaves_a_device_that_comes_in() {
    let mut flash = Flash::new();
    let whole = boot(&mut flash, 1).expect("nothing fails");
    assert_eq!(whole.len(), 64);
    let steps = flash.steps;
    assert!(steps > 8, "{steps} steps");
    for fails_at in 1..=steps {
        let mut flash = Flash::new();
        flash.fails_at = fails_at;
        assert_eq!(boot(&mut flash, 1), Err(FC_AGENT_FLASH), "step {fails_at}");
        flash.fails_at = usize::MAX;
        let password = boot(&mut flash, 2).expect("the power stays");
        let steps = flash.steps;
        assert_eq!(boot(&mut flash, 3), Ok(password), "step {fails_at}: it stays the same");
        assert_eq!(flash.steps, steps, "and nothing is written again");
    }
}

#[test]
fn values_are_kept_by_key_and_wrong_calls_are_answered() {
    let mut flash = Flash::new();
    let right = driver(&mut flash);
    let store = open(&right).expect("an erased area");
    assert_eq!(get(store, 9), Err(FC_AGENT_NOTHING));
    assert_eq!(
        (put(store, 9, b"nine"), put(store, 31, b"")),
        (FC_AGENT_OK, FC_AGENT_OK)
    );
    let store = open(&right).expect("what it holds");
    assert_eq!((get(store, 9), get(store, 31)), (Ok(b"nine".to_vec()), Ok(Vec::new())));
    assert_eq!(put(store, 32, b""), FC_AGENT_NUMBER);
    assert_eq!(put(store, 1, &[0; FC_AGENT_VALUE_BYTES + 1]), FC_AGENT_TOO_LONG);
    // SAFETY: a store, and room of no bytes.
    let short = unsafe { fc_agent_flash_get(store, 9, null_mut(), 0, null_mut()) };
    assert_eq!(short, FC_AGENT_MEMORY);
    assert_eq!(
        (get(null_mut(), 9), put(null_mut(), 9, b"")),
        (Err(FC_AGENT_NULL), FC_AGENT_NULL)
    );
    let cases = [
        (FcAgentFlash { read: None, ..right }, FC_AGENT_NULL),
        (FcAgentFlash { program: None, ..right }, FC_AGENT_NULL),
        (FcAgentFlash { erase: None, ..right }, FC_AGENT_NULL),
        (FcAgentFlash { pages: 1, ..right }, FC_AGENT_AREA),
        (
            FcAgentFlash {
                page_bytes: 128,
                ..right
            },
            FC_AGENT_AREA,
        ),
        (FcAgentFlash { start: 100, ..right }, FC_AGENT_AREA),
    ];
    for (index, (wrong, why)) in cases.iter().enumerate() {
        assert_eq!(open(wrong), Err(*why), "case {index}");
    }
    // SAFETY: too little memory is answered.
    let small = unsafe { fc_agent_flash_open(memory(64), 64, &right, &mut null_mut()) };
    assert_eq!(small, FC_AGENT_MEMORY);
}

#[test]
fn a_factory_that_is_wrong_is_refused() {
    let right = factory(&[]);
    let group = FcAgentFactory {
        claim_token: null(),
        group_secret: b"abc".as_ptr(),
        group_secret_len: 3,
        ..right
    };
    assert_eq!(password(begin(&group).expect("a device of a group")), b"abc");
    assert!(password(begin(&right).expect("a device with a claim")).is_empty());
    let cases = [
        (
            FcAgentFactory {
                abi_version: 2,
                ..right
            },
            FC_AGENT_ABI,
        ),
        (
            FcAgentFactory {
                user_name: null(),
                ..right
            },
            FC_AGENT_TEXT,
        ),
        (
            FcAgentFactory {
                user_name: c"wm".as_ptr(),
                ..right
            },
            FC_AGENT_USER_NAME,
        ),
        (
            FcAgentFactory {
                claim_token: null(),
                ..right
            },
            FC_AGENT_NULL,
        ),
        (factory(&[1, 2, 3]), FC_AGENT_RECORD),
    ];
    for (index, (wrong, why)) in cases.iter().enumerate() {
        assert_eq!(begin(wrong), Err(*why), "case {index}");
    }
    // SAFETY: NULL is answered.
    let nowhere = unsafe { fc_agent_enrolment_init(null_mut(), 4_096, &right, &mut null_mut()) };
    assert_eq!(nowhere, FC_AGENT_NULL);
    let nothing: *mut FcAgentEnrolment = null_mut();
    assert!(to_keep(nothing).is_empty() && password(nothing).is_empty());
    // SAFETY: NULL is allowed.
    let renewed = unsafe { fc_agent_enrolment_renew(nothing, [1; 32].as_ptr()) };
    // SAFETY: NULL is allowed.
    let at = unsafe { fc_agent_enrolment_next_connect_at(nothing) };
    assert_eq!((renewed, at), (false, u64::MAX));
}
