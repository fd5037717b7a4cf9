//! What a machine cannot send waits in the program's flash, and goes up after a start.

use crate::rig::{Board, DRUM, config, declare, report};
use agent_sdk_ffi::*;
use std::ffi::c_void;
use std::ptr::null_mut;

const PAGE_BYTES: usize = 512;
const PAGES: usize = 8;

/// A flash that never fails.
struct Flash {
    cells: Vec<u8>,
}

impl Flash {
    fn new() -> Self {
        Self {
            cells: vec![0xFF; PAGES * PAGE_BYTES],
        }
    }
}

unsafe extern "C" fn read(context: *mut c_void, at: u32, to: *mut u8, len: usize) -> i32 {
    // SAFETY: a flash that only these functions use now.
    let flash = unsafe { &*context.cast::<Flash>() };
    let from = &flash.cells[at as usize..][..len];
    // SAFETY: the spill gives room for that many bytes.
    unsafe { to.copy_from_nonoverlapping(from.as_ptr(), len) };
    0
}

unsafe extern "C" fn program(context: *mut c_void, at: u32, from: *const u8, len: usize) -> i32 {
    // SAFETY: a flash that only these functions use now.
    let flash = unsafe { &mut *context.cast::<Flash>() };
    // SAFETY: the spill gives that many bytes.
    let from = unsafe { std::slice::from_raw_parts(from, len) };
    let cells = &mut flash.cells[at as usize..][..len];
    assert!(cells.iter().all(|cell| *cell == 0xFF), "a word is programmed twice");
    cells.copy_from_slice(from);
    0
}

unsafe extern "C" fn erase(context: *mut c_void, at: u32, len: usize) -> i32 {
    // SAFETY: a flash that only these functions use now.
    let flash = unsafe { &mut *context.cast::<Flash>() };
    flash.cells[at as usize..][..len].fill(0xFF);
    0
}

fn driver(flash: &mut Flash) -> FcAgentFlash {
    FcAgentFlash {
        context: std::ptr::from_mut(flash).cast(),
        read: Some(read),
        program: Some(program),
        erase: Some(erase),
        start: 0,
        page_bytes: PAGE_BYTES as u32,
        pages: PAGES as u32,
    }
}

fn open(driver: &FcAgentFlash, len: usize, overflow: u8) -> Result<*mut FcAgentSpill, i32> {
    // Tests do not give it back.
    let words: &'static mut [u64] = vec![u64::MAX; FC_AGENT_SPILL_BYTES / 8].leak();
    let mut spill = null_mut();
    // SAFETY: memory of that length or more, and a driver whose flash lives on.
    match unsafe { fc_agent_flash_spill_open(words.as_mut_ptr().cast(), len, driver, overflow, &mut spill) } {
        FC_AGENT_OK => Ok(spill),
        why => Err(why),
    }
}

fn turn(spill: *mut FcAgentSpill, machine: *mut FcAgentMachine) -> i32 {
    let mut scratch = [0xEE; 64];
    // SAFETY: NULL or a spill and a machine, and room of that length.
    unsafe { fc_agent_flash_spill_machine(spill, machine, scratch.as_mut_ptr(), scratch.len()) }
}

fn pending(spill: *const FcAgentSpill) -> u32 {
    // SAFETY: NULL or a spill.
    unsafe { fc_agent_flash_spill_pending(spill) }
}

fn delivered(spill: *mut FcAgentSpill, token: u32) -> i32 {
    // SAFETY: NULL or a spill.
    unsafe { fc_agent_flash_spill_delivered(spill, token) }
}

/// A machine that takes each value.
fn board() -> (Board, u8) {
    let board = Board::new(&config(), 200);
    let each = FcAgentMetric { interval_ms: 0, ..DRUM };
    let drum = declare(board.machine, &each).expect("there is memory");
    (board, drum)
}

#[test]
fn batches_that_memory_has_no_room_for_go_up_after_a_start() {
    const BATCHES: i32 = 40;
    let mut flash = Flash::new();
    let driver = driver(&mut flash);
    let (mut board, drum) = board();
    let spill = open(&driver, FC_AGENT_SPILL_BYTES, FC_AGENT_DROP_NEWEST).expect("an erased area");
    for value in 0..BATCHES {
        board.now_ms += 1_000;
        assert!(report(board.machine, drum, value, board.now_ms));
        board.flush();
        assert_eq!(turn(spill, board.machine), FC_AGENT_OK);
    }
    assert!(board.told().is_empty(), "nothing was dropped");
    assert_eq!(pending(spill), 40);

    // The power was cut: memory is gone.
    let (mut board, _) = self::board();
    let spill = open(&driver, FC_AGENT_SPILL_BYTES, FC_AGENT_DROP_NEWEST).expect("what it holds");
    assert_eq!(pending(spill), 40);
    board.connect();
    let mut sequence = Vec::new();
    for _ in 0..100 {
        assert_eq!(turn(spill, board.machine), FC_AGENT_OK);
        let arrivals = board.arrivals();
        // Kind, time base, boot, and the number of the first sample.
        let batches = arrivals
            .iter()
            .filter(|arrival| arrival.payload.starts_with(&[0x88, 4, 0, 7]));
        sequence.extend(batches.map(|arrival| match arrival.payload[4..] {
            [24, number, ..] | [number, ..] => number,
            [] => panic!("a batch has a number"),
        }));
        for token in board.deliveries() {
            assert_eq!(delivered(spill, token), FC_AGENT_OK);
        }
    }
    assert_eq!(sequence, (0..40).collect::<Vec<u8>>(), "in order, each once");
    assert_eq!(pending(spill), 0);
}

#[test]
fn a_spill_that_is_wrong_is_refused() {
    let mut flash = Flash::new();
    let right = driver(&mut flash);
    let bytes = fc_agent_flash_spill_sizeof();
    assert!(bytes <= FC_AGENT_SPILL_BYTES);
    let oldest = FC_AGENT_DROP_OLDEST;
    assert_eq!(open(&right, bytes - 1, oldest), Err(FC_AGENT_MEMORY));
    assert_eq!(open(&right, bytes, 2), Err(FC_AGENT_NUMBER));
    let no_driver = FcAgentFlash { read: None, ..right };
    assert_eq!(open(&no_driver, bytes, oldest), Err(FC_AGENT_NULL));
    let short = FcAgentFlash { pages: 1, ..right };
    assert_eq!(open(&short, bytes, oldest), Err(FC_AGENT_AREA));
    let spill = open(&right, bytes, oldest).expect("an erased area");
    let (board, _) = board();
    assert_eq!(turn(spill, null_mut()), FC_AGENT_NULL);
    assert_eq!(turn(null_mut(), board.machine), FC_AGENT_NULL);
    assert_eq!((delivered(null_mut(), 0), pending(null_mut())), (FC_AGENT_NULL, 0));
    assert_eq!(delivered(spill, 7), FC_AGENT_OK, "of a message that was never there");
    // SAFETY: NULL is allowed.
    let nothing = unsafe { fc_agent_flash_spill_turn(spill, null_mut(), null_mut(), 0) };
    assert_eq!(nothing, FC_AGENT_NULL);
    // SAFETY: a spill.
    assert_eq!(unsafe { fc_agent_flash_spill_dropped(spill) }, 0);
}
