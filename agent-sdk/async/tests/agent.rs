//! A connection of an agent: readings in batches, a command, and a goodbye, in time that passes only while there is nothing to
//! do.

mod support;

use agent_sdk_async::{Buffers, Clock, Device, run};
use agent_sdk_core::{Agent, AgentEvent, AgentMem, Reason};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use std::future::pending;
use support::Virtual;
use tests_agent::drum::{CONFIG, Drum, Line, READINGS, START_MS, WHO};

struct Transport(Line);

impl ErrorType for Transport {
    type Error = ErrorKind;
}

impl Read for Transport {
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        if !self.0.is_readable() {
            return pending().await;
        }
        Ok(self.0.read(room))
    }
}

impl Write for Transport {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(self.0.write(bytes))
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

struct Machine(Drum);

impl Device<Agent<'_>> for Machine {
    fn turn(&mut self, agent: &mut Agent<'_>, now_ms: u64) -> u64 {
        self.0.turn(agent, now_ms)
    }

    fn event(&mut self, event: AgentEvent<'_>, _: u64) {
        self.0.event(event);
    }
}

/// Runs a connection; what it gave, and when it was over.
async fn play(link: &mut Transport, agent: &mut Agent<'_>, machine: &mut Machine) -> (Result<Reason, ErrorKind>, u64) {
    let clock = Virtual::new(START_MS);
    let buffers = Buffers {
        receive: &mut [0; 32],
        transmit: &mut [0; 32],
    };
    let outcome = run(agent, &WHO, link, buffers, &clock, machine, 0).await;
    assert!(agent.next_connect_at().is_some(), "the session is disconnected");
    (outcome, clock.now_ms())
}

#[tokio::test]
async fn readings_a_command_and_a_goodbye() {
    let mut memory = AgentMem::<1, 8, 1_024, 256>::new();
    let mut agent = Agent::new(memory.lend(), &CONFIG, 0).expect("it is large enough");
    let mut machine = Machine(Drum::new(&mut agent));
    let mut link = Transport(Line::new(usize::MAX));
    let (outcome, over_ms) = play(&mut link, &mut agent, &mut machine).await;
    assert_eq!(outcome, Ok(Reason::Closed));
    assert_eq!(machine.0.over, Some(Reason::Closed));
    assert_eq!(over_ms, 8_000, "with the last reading");
    let Transport(line) = link;
    assert_eq!((line.count("d/wm/s"), line.count("d/wm/r/1")), (1, 1));
    assert_eq!(line.count("d/wm/t"), 3, "the pair of clocks, and two batches");
    assert_eq!(line.batches(), 2);
    assert!(!line.hub.connect.is_empty());
}

#[tokio::test]
async fn what_waits_when_the_link_is_lost_goes_up_on_the_next_one() {
    let mut memory = AgentMem::<1, 8, 1_024, 256>::new();
    let mut agent = Agent::new(memory.lend(), &CONFIG, 0).expect("it is large enough");
    let mut machine = Machine(Drum::new(&mut agent));
    // The CONNECT has 28 bytes: the subscription is cut.
    let mut link = Transport(Line::new(40));
    let (outcome, _) = play(&mut link, &mut agent, &mut machine).await;
    assert_eq!(outcome, Ok(Reason::LinkLost));
    assert_eq!(machine.0.over, Some(Reason::LinkLost));
    link.0.mend();
    let (outcome, _) = play(&mut link, &mut agent, &mut machine).await;
    assert_eq!(outcome, Ok(Reason::Closed));
    assert_eq!((machine.0.readings, link.0.count("d/wm/r/1")), (READINGS, 1));
    assert!(agent.session().is_outbox_empty());
}
