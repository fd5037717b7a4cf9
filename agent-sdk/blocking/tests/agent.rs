//! A connection of an agent: readings in batches, a command, and a goodbye, in time that passes only while there is nothing to
//! do.

use agent_sdk_blocking::{Buffers, Device, run};
use agent_sdk_core::{Agent, AgentEvent, AgentMem, Reason};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use tests_agent::drum::{CONFIG, Drum, Line, READINGS, START_MS, WHO};

struct Transport(Line);

impl ErrorType for Transport {
    type Error = ErrorKind;
}

impl Read for Transport {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(self.0.is_readable(), "read without waiting");
        Ok(self.0.read(room))
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(self.0.write(bytes))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Its time passes only while it waits.
struct Machine {
    now_ms: u64,
    drum: Drum,
}

impl Device<Agent<'_>, Transport> for Machine {
    fn now_ms(&mut self) -> u64 {
        self.now_ms
    }

    fn wait_readable(&mut self, link: &mut Transport, limit_ms: u64) -> Result<bool, ErrorKind> {
        if link.0.is_readable() {
            return Ok(true);
        }
        assert!(limit_ms < 3_600_000, "nothing bounds the wait");
        self.now_ms += limit_ms;
        Ok(false)
    }

    fn turn(&mut self, agent: &mut Agent<'_>, now_ms: u64) -> u64 {
        self.drum.turn(agent, now_ms)
    }

    fn event(&mut self, event: AgentEvent<'_>, _: u64) {
        self.drum.event(event);
    }
}

fn machine(agent: &mut Agent<'_>) -> Machine {
    Machine {
        now_ms: START_MS,
        drum: Drum::new(agent),
    }
}

fn play(link: &mut Transport, agent: &mut Agent<'_>, machine: &mut Machine) -> Result<Reason, ErrorKind> {
    let buffers = Buffers {
        receive: &mut [0; 32],
        transmit: &mut [0; 32],
    };
    let outcome = run(agent, &WHO, link, buffers, machine, 0);
    assert!(agent.next_connect_at().is_some(), "the session is disconnected");
    outcome
}

#[test]
fn readings_a_command_and_a_goodbye() {
    let mut memory = AgentMem::<1, 8, 1_024, 256>::new();
    let mut agent = Agent::new(memory.lend(), &CONFIG, 0).expect("it is large enough");
    let mut machine = machine(&mut agent);
    let mut link = Transport(Line::new(usize::MAX));
    let outcome = play(&mut link, &mut agent, &mut machine);
    assert_eq!(outcome, Ok(Reason::Closed));
    assert_eq!(machine.drum.over, Some(Reason::Closed));
    assert_eq!(machine.now_ms, 8_000, "with the last reading");
    let Transport(line) = link;
    assert_eq!((line.count("d/wm/s"), line.count("d/wm/r/1")), (1, 1));
    assert_eq!(line.count("d/wm/t"), 3, "the pair of clocks, and two batches");
    assert_eq!(line.batches(), 2);
    assert!(!line.hub.connect.is_empty());
}

#[test]
fn what_waits_when_the_link_is_lost_goes_up_on_the_next_one() {
    let mut memory = AgentMem::<1, 8, 1_024, 256>::new();
    let mut agent = Agent::new(memory.lend(), &CONFIG, 0).expect("it is large enough");
    let mut machine = machine(&mut agent);
    // The CONNECT has 28 bytes: the subscription is cut.
    let mut link = Transport(Line::new(40));
    let outcome = play(&mut link, &mut agent, &mut machine);
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(machine.drum.over, Some(Reason::LinkLost));
    link.0.mend();
    let outcome = play(&mut link, &mut agent, &mut machine);
    assert_eq!(outcome, Ok(Reason::Closed));
    assert_eq!((machine.drum.readings, link.0.count("d/wm/r/1")), (READINGS, 1));
    assert!(agent.session().is_outbox_empty());
}
