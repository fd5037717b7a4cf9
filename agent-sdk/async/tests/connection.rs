//! Whole connections over a script, in time that passes only while there is nothing to do.

mod support;

use agent_sdk_async::{Buffers, Clock, Device, WRITE_LIMIT_MS, run};
use agent_sdk_core::{Event, Reason, Session};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use std::collections::VecDeque;
use std::future::pending;
use support::Virtual;
use tests_agent::replier::{
    COMMAND, COMMAND_TAKEN, CONNACK, CONNECT, DISCONNECT, IDENTITY, PINGREQ, REPLY, REPLY_TAKEN, Replier, SUBACK,
    SUBSCRIBE, session,
};

/// When every connection here is opened.
const START_MS: u64 = 1_000;

/// What the other side does, in order.
enum Step {
    Sends(&'static [u8]),
    Closes,
    Fails,
}

#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    written: Vec<u8>,
    /// Bytes that are written at a time.
    piece: usize,
    /// After so many bytes the other side takes no more.
    room: usize,
    is_flush_stuck: bool,
}

impl Script {
    fn new<const N: usize>(steps: [Step; N]) -> Self {
        Self {
            steps: VecDeque::from(steps),
            piece: usize::MAX,
            room: usize::MAX,
            ..Self::default()
        }
    }
}

impl ErrorType for Script {
    type Error = ErrorKind;
}

impl Read for Script {
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        match self.steps.pop_front() {
            Some(Step::Sends(bytes)) => {
                let count = bytes.len().min(room.len());
                room[..count].copy_from_slice(&bytes[..count]);
                if count < bytes.len() {
                    self.steps.push_front(Step::Sends(&bytes[count..]));
                }
                Ok(count)
            }
            Some(Step::Closes) => Ok(0),
            Some(Step::Fails) => Err(ErrorKind::ConnectionReset),
            None => pending().await,
        }
    }
}

impl Write for Script {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let count = bytes.len().min(self.piece).min(self.room - self.written.len());
        if count == 0 {
            return pending().await;
        }
        self.written.extend(&bytes[..count]);
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        if self.is_flush_stuck {
            return pending().await;
        }
        Ok(())
    }
}

/// The replier, which also answers a command that nobody has given.
#[derive(Default)]
struct Machine {
    replier: Replier,
    /// When it has planned to.
    planned_ms: Option<u64>,
    /// Whether something wakes it so that it does.
    is_woken: bool,
    answered_ms: Option<u64>,
}

impl Device<Session<'_>> for Machine {
    fn turn(&mut self, session: &mut Session<'_>, now_ms: u64) -> u64 {
        if self.planned_ms.take_if(|at| now_ms >= *at).is_some() {
            self.replier.has_command = true;
        }
        if self.replier.turn(session) {
            self.answered_ms = Some(now_ms);
        }
        self.planned_ms.unwrap_or(u64::MAX)
    }

    fn event(&mut self, event: Event<'_>, _: u64) {
        self.replier.event(event);
    }

    async fn wake(&mut self) {
        if !std::mem::take(&mut self.is_woken) {
            return pending().await;
        }
        self.replier.has_command = true;
    }
}

/// What a connection gave, and when it was over.
type Played = (Result<Reason, ErrorKind>, u64);

async fn play(script: &mut Script, session: &mut Session<'_>, device: &mut Machine, buffer_bytes: usize) -> Played {
    let clock = Virtual::new(START_MS);
    let buffers = Buffers {
        receive: &mut vec![0; buffer_bytes],
        transmit: &mut vec![0; buffer_bytes],
    };
    let outcome = run(session, &IDENTITY, script, buffers, &clock, device, 0).await;
    assert!(session.next_connect_at().is_some(), "the session is disconnected");
    (outcome, clock.now_ms())
}

/// One conversation, whatever the sizes of buffers and writes.
#[tokio::test]
async fn a_command_is_answered_and_goodbye_said() {
    for buffer_bytes in [1, 2, 7, 64] {
        for piece in [1, 5, usize::MAX] {
            let mut script = Script::new([
                Step::Sends(CONNACK),
                Step::Sends(SUBACK),
                Step::Sends(COMMAND),
                Step::Sends(REPLY_TAKEN),
            ]);
            script.piece = piece;
            let mut device = Machine::default();
            let (outcome, over_ms) = play(&mut script, &mut session(), &mut device, buffer_bytes).await;
            assert_eq!(outcome, Ok(Reason::Closed));
            assert_eq!(over_ms, START_MS, "nothing was waited for");
            let expected = [CONNECT, SUBSCRIBE, COMMAND_TAKEN, REPLY, DISCONNECT].concat();
            assert_eq!(script.written, expected, "{buffer_bytes} {piece}");
            let told = [
                "Connected { session_present: false }",
                "Subscribed { refused: 0 }",
                "command",
                "delivered",
                "Disconnected(Closed)",
            ];
            assert_eq!(device.replier.told, told, "{buffer_bytes} {piece}");
        }
    }
}

/// All that the hub has to say may come in one read.
#[tokio::test]
async fn packets_that_come_together_are_taken_one_after_the_other() {
    let all: &'static [u8] = [CONNACK, SUBACK, COMMAND].concat().leak();
    let mut script = Script::new([Step::Sends(all), Step::Closes]);
    let mut device = Machine::default();
    let (outcome, _) = play(&mut script, &mut session(), &mut device, 64).await;
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(
        script.written,
        [CONNECT, SUBSCRIBE, COMMAND_TAKEN, REPLY].concat(),
        "the answer went before the end was read"
    );
    assert_eq!(device.replier.told.last().unwrap(), "Disconnected(LinkLost)");
}

#[tokio::test]
async fn a_hub_that_says_nothing_is_left_at_the_deadline() {
    let mut device = Machine::default();
    let (outcome, over_ms) = play(&mut Script::new([]), &mut session(), &mut device, 64).await;
    assert_eq!(outcome, Ok(Reason::NoConnack));
    assert_eq!(over_ms, START_MS + 5_000);
    assert_eq!(device.replier.told, ["Disconnected(NoConnack)"]);
}

#[tokio::test]
async fn pings_are_sent_in_time_and_one_without_an_answer_ends_it() {
    let mut script = Script::new([Step::Sends(CONNACK), Step::Sends(SUBACK)]);
    let (outcome, over_ms) = play(&mut script, &mut session(), &mut Machine::default(), 64).await;
    assert_eq!(outcome, Ok(Reason::NoAnswer));
    assert_eq!(script.written, [CONNECT, SUBSCRIBE, PINGREQ].concat());
    assert_eq!(over_ms, START_MS + 45_000 + 10_000);
}

/// A turn that the device has planned comes in time, and so does one for which it is woken.
#[tokio::test]
async fn the_device_gets_its_turn() {
    let planned = Machine {
        planned_ms: Some(9_000),
        ..Machine::default()
    };
    let woken = Machine {
        is_woken: true,
        ..Machine::default()
    };
    for (mut device, sent_ms) in [(planned, 9_000), (woken, START_MS)] {
        let mut script = Script::new([Step::Sends(CONNACK), Step::Sends(SUBACK)]);
        let (outcome, over_ms) = play(&mut script, &mut session(), &mut device, 64).await;
        // Nobody acknowledges, and nobody answers the ping, which is due 45 s after the hub has said something.
        assert_eq!(outcome, Ok(Reason::NoAnswer));
        assert_eq!(over_ms, START_MS + 45_000 + 10_000);
        let expected = [CONNECT, SUBSCRIBE, REPLY, PINGREQ].concat();
        assert_eq!(script.written, expected, "{sent_ms}");
        assert_eq!(device.answered_ms, Some(sent_ms));
    }
}

#[tokio::test]
async fn the_end_of_the_transport_and_its_errors_are_a_lost_link() {
    let mut device = Machine::default();
    let (outcome, _) = play(&mut Script::new([Step::Closes]), &mut session(), &mut device, 64).await;
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(device.replier.told, ["Disconnected(LinkLost)"]);

    let mut script = Script::new([Step::Sends(CONNACK), Step::Fails]);
    let mut device = Machine::default();
    let (outcome, _) = play(&mut script, &mut session(), &mut device, 64).await;
    assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
    assert_eq!(device.replier.told.last().unwrap(), "Disconnected(LinkLost)");
}

#[tokio::test]
async fn a_transport_that_takes_no_bytes_is_a_lost_link() {
    // Before the hub has accepted, its own deadline is the nearer one.
    let mut script = Script::new([]);
    script.room = 3;
    let mut device = Machine::default();
    let (outcome, over_ms) = play(&mut script, &mut session(), &mut device, 64).await;
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(over_ms, START_MS + 5_000);
    assert_eq!(device.replier.told, ["Disconnected(LinkLost)"]);

    let mut script = Script::new([Step::Sends(CONNACK)]);
    script.room = CONNECT.len() + 3;
    let (outcome, over_ms) = play(&mut script, &mut session(), &mut Machine::default(), 64).await;
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(over_ms, START_MS + WRITE_LIMIT_MS);

    let mut script = Script::new([Step::Sends(CONNACK)]);
    script.is_flush_stuck = true;
    let (outcome, over_ms) = play(&mut script, &mut session(), &mut Machine::default(), 64).await;
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(over_ms, START_MS + 5_000);
}

/// What waits when a connection ends goes up on the next one.
#[tokio::test]
async fn the_session_outlives_its_connections() {
    let mut session = session();
    let mut device = Machine::default();
    let mut script = Script::new([
        Step::Sends(CONNACK),
        Step::Sends(SUBACK),
        Step::Sends(COMMAND),
        Step::Closes,
    ]);
    let (outcome, _) = play(&mut script, &mut session, &mut device, 64).await;
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert!(!session.is_outbox_empty());
    let mut script = Script::new([
        Step::Sends(&[0x20, 2, 1, 0]),
        Step::Sends(SUBACK),
        Step::Sends(REPLY_TAKEN),
    ]);
    let (outcome, _) = play(&mut script, &mut session, &mut device, 64).await;
    assert_eq!(outcome, Ok(Reason::Closed));
    let mut again = REPLY.to_vec();
    again[0] |= 8;
    assert_eq!(script.written, [CONNECT, SUBSCRIBE, &again[..], DISCONNECT].concat());
    assert!(session.is_outbox_empty());
}
