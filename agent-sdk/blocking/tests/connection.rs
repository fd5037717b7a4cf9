//! Whole connections: over a script in virtual time, and over a socket of the standard library.

use agent_sdk_blocking::{Buffers, Device, run};
use agent_sdk_core::{Event, Reason, Session};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use embedded_io_adapters::std::FromStd;
use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tests_agent::replier::{
    COMMAND, COMMAND_TAKEN, CONNACK, CONNECT, DISCONNECT, IDENTITY, PINGREQ, REPLY, REPLY_TAKEN, Replier, SUBACK,
    SUBSCRIBE, session,
};

/// What the other side does, in order, whenever the session waits.
enum Step {
    Sends(&'static [u8]),
    Closes,
    Fails,
    WaitIsCutShort(u64),
}

struct Script {
    steps: VecDeque<Step>,
    written: Vec<u8>,
    /// Bytes that are written at a time.
    piece: usize,
}

impl Script {
    fn new<const N: usize>(steps: [Step; N]) -> Self {
        Self {
            steps: VecDeque::from(steps),
            written: Vec::new(),
            piece: usize::MAX,
        }
    }
}

impl ErrorType for Script {
    type Error = ErrorKind;
}

impl Read for Script {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        match self.steps.pop_front().expect("read without waiting") {
            Step::Sends(bytes) => {
                let count = bytes.len().min(room.len());
                room[..count].copy_from_slice(&bytes[..count]);
                if count < bytes.len() {
                    self.steps.push_front(Step::Sends(&bytes[count..]));
                }
                Ok(count)
            }
            Step::Closes => Ok(0),
            Step::Fails => Err(ErrorKind::ConnectionReset),
            Step::WaitIsCutShort(_) => panic!("there was nothing to read"),
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let count = bytes.len().min(self.piece);
        self.written.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Virtual time, which passes only while the session waits.
#[derive(Default)]
struct Virtual {
    now_ms: u64,
    replier: Replier,
}

impl Device<Session<'_>, Script> for Virtual {
    fn now_ms(&mut self) -> u64 {
        self.now_ms
    }

    fn wait_readable(&mut self, script: &mut Script, limit_ms: u64) -> Result<bool, ErrorKind> {
        match script.steps.front() {
            Some(Step::Sends(_) | Step::Closes | Step::Fails) => Ok(true),
            Some(Step::WaitIsCutShort(after_ms)) => {
                assert!(*after_ms < limit_ms, "{after_ms} of {limit_ms}");
                self.now_ms += after_ms;
                script.steps.pop_front();
                Ok(false)
            }
            None => {
                assert!(limit_ms < 3_600_000, "nothing bounds the wait");
                self.now_ms += limit_ms;
                Ok(false)
            }
        }
    }

    fn turn(&mut self, session: &mut Session<'_>, _: u64) -> u64 {
        self.replier.turn(session);
        u64::MAX
    }

    fn event(&mut self, event: Event<'_>, _: u64) {
        self.replier.event(event);
    }
}

/// Runs a connection that was opened at 1,000; what it gave, and when it was over.
fn play(script: &mut Script, session: &mut Session<'_>, buffer_bytes: usize) -> (Result<Reason, ErrorKind>, Virtual) {
    let mut device = Virtual {
        now_ms: 1_000,
        ..Virtual::default()
    };
    let buffers = Buffers {
        receive: &mut vec![0; buffer_bytes],
        transmit: &mut vec![0; buffer_bytes],
    };
    let outcome = run(session, &IDENTITY, script, buffers, &mut device, 0);
    assert!(session.next_connect_at().is_some(), "the session is disconnected");
    (outcome, device)
}

/// One conversation, whatever the sizes of buffers and writes.
#[test]
fn a_command_is_answered_and_goodbye_said() {
    for buffer_bytes in [1, 2, 7, 64] {
        for piece in [1, 5, usize::MAX] {
            let mut script = Script::new([
                Step::Sends(CONNACK),
                Step::Sends(SUBACK),
                Step::Sends(COMMAND),
                Step::Sends(REPLY_TAKEN),
            ]);
            script.piece = piece;
            let (outcome, device) = play(&mut script, &mut session(), buffer_bytes);
            assert_eq!(outcome, Ok(Reason::Closed));
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
#[test]
fn packets_that_come_together_are_taken_one_after_the_other() {
    let all: &'static [u8] = [CONNACK, SUBACK, COMMAND].concat().leak();
    let mut script = Script::new([Step::Sends(all), Step::Closes]);
    let (outcome, device) = play(&mut script, &mut session(), 64);
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(
        script.written,
        [CONNECT, SUBSCRIBE, COMMAND_TAKEN, REPLY].concat(),
        "the answer went before the end was read"
    );
    assert_eq!(device.replier.told.last().unwrap(), "Disconnected(LinkLost)");
}

#[test]
fn a_hub_that_says_nothing_is_left_at_the_deadline() {
    let (outcome, device) = play(&mut Script::new([]), &mut session(), 64);
    assert_eq!(outcome, Ok(Reason::NoConnack));
    assert_eq!(device.now_ms, 1_000 + 5_000);
    assert_eq!(device.replier.told, ["Disconnected(NoConnack)"]);
}

#[test]
fn pings_are_sent_in_time_and_one_without_an_answer_ends_it() {
    for after_ms in [0, 1, 44_999] {
        let mut script = Script::new([
            Step::Sends(CONNACK),
            Step::Sends(SUBACK),
            Step::WaitIsCutShort(after_ms),
        ]);
        let (outcome, device) = play(&mut script, &mut session(), 64);
        assert_eq!(outcome, Ok(Reason::NoAnswer));
        assert_eq!(script.written, [CONNECT, SUBSCRIBE, PINGREQ].concat());
        assert_eq!(device.now_ms, 1_000 + 45_000 + 10_000, "{after_ms}");
    }
}

#[test]
fn the_end_of_the_transport_and_its_errors_are_a_lost_link() {
    let (outcome, device) = play(&mut Script::new([Step::Closes]), &mut session(), 64);
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(device.replier.told, ["Disconnected(LinkLost)"]);

    let mut script = Script::new([Step::Sends(CONNACK), Step::Fails]);
    let (outcome, device) = play(&mut script, &mut session(), 64);
    assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
    assert_eq!(device.replier.told.last().unwrap(), "Disconnected(LinkLost)");
}

/// What waits when a connection ends goes up on the next one.
#[test]
fn the_session_outlives_its_connections() {
    let mut session = session();
    let mut script = Script::new([
        Step::Sends(CONNACK),
        Step::Sends(SUBACK),
        Step::Sends(COMMAND),
        Step::Closes,
    ]);
    let (outcome, _) = play(&mut script, &mut session, 64);
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert!(!session.is_outbox_empty());
    let mut script = Script::new([
        Step::Sends(&[0x20, 2, 1, 0]),
        Step::Sends(SUBACK),
        Step::Sends(REPLY_TAKEN),
    ]);
    let (outcome, _) = play(&mut script, &mut session, 64);
    assert_eq!(outcome, Ok(Reason::Closed));
    let mut again = REPLY.to_vec();
    again[0] |= 8;
    assert_eq!(script.written, [CONNECT, SUBSCRIBE, &again[..], DISCONNECT].concat());
    assert!(session.is_outbox_empty());
}

/// The clock and the socket of an operating system.
struct Machine {
    start: Instant,
    replier: Replier,
}

impl Device<Session<'_>, FromStd<TcpStream>> for Machine {
    fn now_ms(&mut self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    fn wait_readable(&mut self, stream: &mut FromStd<TcpStream>, limit_ms: u64) -> std::io::Result<bool> {
        let limit = Duration::from_millis(limit_ms.max(1));
        stream.inner().set_read_timeout(Some(limit))?;
        match stream.inner().peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn turn(&mut self, session: &mut Session<'_>, now_ms: u64) -> u64 {
        self.replier.turn(session);
        now_ms + 100
    }

    fn event(&mut self, event: Event<'_>, _: u64) {
        self.replier.event(event);
    }
}

#[test]
fn a_socket_of_the_standard_library_will_do() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hub = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut expect = |bytes: &[u8], answers: &[&[u8]]| {
            let mut room = vec![0; bytes.len()];
            std::io::Read::read_exact(&mut stream, &mut room).unwrap();
            assert_eq!(room, bytes);
            for answer in answers {
                std::io::Write::write_all(&mut stream, answer).unwrap();
            }
        };
        expect(CONNECT, &[CONNACK]);
        expect(SUBSCRIBE, &[SUBACK, COMMAND]);
        expect(COMMAND_TAKEN, &[]);
        expect(REPLY, &[REPLY_TAKEN]);
        expect(DISCONNECT, &[]);
        assert_eq!(
            std::io::Read::read(&mut stream, &mut [0]).unwrap(),
            0,
            "nothing follows"
        );
    });
    let mut device = Machine {
        start: Instant::now(),
        replier: Replier::default(),
    };
    let mut transport = FromStd::new(TcpStream::connect(address).unwrap());
    let buffers = Buffers {
        receive: &mut [0; 64],
        transmit: &mut [0; 64],
    };
    let outcome = run(&mut session(), &IDENTITY, &mut transport, buffers, &mut device, 7);
    drop(transport);
    hub.join().unwrap();
    assert_eq!(outcome.unwrap(), Reason::Closed);
}
