//! Commands and settings of all kinds: what is right is taken as it is meant, whatever form it has, and what is damaged stops
//! nothing.

use crate::fuzz::fuzz;
use crate::rig::{CONFIG, Lent, PLENTY, Told};
use agent_sdk_core::{Memory, Metric, MetricSlot, Outcome, Overflow, Reading};
use agent_sdk_wire::{Command, MAX_NUMBER, encode_command};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

/// The hub's time when a rig has just connected.
const NOON: u64 = 1_800_000_000_000;
const METRIC: Metric = Metric {
    channel: 3,
    deadband: 100,
    interval_ms: 1_000_000,
    overflow: Overflow::DropOldest,
};

/// The memory of one case, which ends with it.
struct Room {
    metrics: Vec<MetricSlot>,
    readings: Vec<Reading>,
    outbox: Vec<u8>,
    receive: Vec<u8>,
    scratch: Vec<u8>,
}

impl Room {
    fn new() -> Self {
        Self {
            metrics: vec![MetricSlot::EMPTY; 4],
            readings: vec![Reading::EMPTY; 64],
            outbox: vec![0; PLENTY],
            receive: vec![0; 512],
            scratch: vec![0; 512],
        }
    }

    /// An agent without a connection.
    fn agent(&mut self) -> Lent<'_> {
        let memory = Memory {
            metrics: &mut self.metrics,
            readings: &mut self.readings,
            outbox: &mut self.outbox,
            receive: &mut self.receive,
            scratch: &mut self.scratch,
        };
        Lent::over(memory, &CONFIG)
    }

    /// Connected, with all that belongs to it said; what came of it is forgotten.
    fn online(&mut self) -> Lent<'_> {
        let mut rig = self.agent();
        rig.connect();
        rig.arrivals();
        rig.told();
        rig
    }
}

fn damaged(mut bytes: Vec<u8>, damage: &[(Index, u8)]) -> Vec<u8> {
    for (at, byte) in damage {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes
}

/// What the hub wants of the device.
#[derive(Debug, Clone)]
struct Wanted {
    method: &'static str,
    deadline_ms: Option<u64>,
    args: u32,
}

impl Wanted {
    fn json(&self) -> Vec<u8> {
        let Self {
            method,
            deadline_ms,
            args,
        } = self;
        let deadline = deadline_ms.map_or(String::new(), |at| format!(r#","deadline_ms":{at}"#));
        format!(r#"{{"method":"{method}"{deadline},"params":{args}}}"#).into_bytes()
    }

    fn cbor(&self) -> Vec<u8> {
        let command = Command {
            deadline_ms: self.deadline_ms,
            method: self.method.as_bytes(),
            args: &self.args.to_be_bytes(),
        };
        encode_command(&mut [0; 128], &command)
            .expect("a short command")
            .to_vec()
    }

    /// The number of its method, if it is to be done at this time.
    fn verdict(&self, utc_ms: u64) -> Result<usize, Outcome> {
        let method = CONFIG.methods.iter().position(|name| *name == self.method);
        let method = method.ok_or(Outcome::NotAllowed)?;
        if self.deadline_ms.is_some_and(|at| at < utc_ms) {
            return Err(Outcome::Expired);
        }
        Ok(method)
    }
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let method = prop::sample::select(vec!["spin", "self_test", "spi", "self_testx", "open_door", "x"]);
    let deadline = option::of(prop_oneof![NOON - 3..NOON + 3, 1..=MAX_NUMBER]);
    (method, deadline, any::<u32>()).prop_map(|(method, deadline_ms, args)| Wanted {
        method,
        deadline_ms,
        args,
    })
}

/// Both forms of a command come to the same, and to what the device allows.
#[test]
fn fuzz_commands_mean_the_same_in_both_forms() {
    fuzz(300, &wanted(), |wanted| {
        let args = [wanted.args.to_string().into_bytes(), wanted.args.to_be_bytes().to_vec()];
        for (payload, args) in [wanted.json(), wanted.cbor()].into_iter().zip(args) {
            let mut room = Room::new();
            let mut rig = room.online();
            let utc_ms = rig.agent.utc_ms(rig.now).expect("the hub has told the time");
            rig.say("d/wm/c/1", &payload);
            let (told, arrivals) = (rig.told(), rig.arrivals());
            let Ok(expected) = wanted.verdict(utc_ms) else {
                prop_assert!(told.is_empty(), "{told:?}");
                prop_assert_eq!(arrivals.len(), 1, "one refusal");
                continue;
            };
            prop_assert!(arrivals.is_empty(), "{arrivals:?}");
            let in_time = wanted.deadline_ms.map(|at| rig.now + (at - utc_ms));
            match &told[..] {
                [
                    Told::Command {
                        method,
                        args: given,
                        deadline,
                        ..
                    },
                ] => {
                    prop_assert_eq!(*method, expected);
                    prop_assert_eq!(given, &args);
                    prop_assert_eq!(*deadline, in_time);
                }
                other => prop_assert!(false, "one command: {other:?}"),
            }
        }
        Ok(())
    });
}

/// A damaged command is told or refused, once, and the next one is told.
#[test]
fn fuzz_damaged_commands() {
    let damage = vec((any::<Index>(), any::<u8>()), 0..4);
    let case = (wanted(), any::<bool>(), damage);
    fuzz(300, &case, |(wanted, is_cbor, damage)| {
        let whole = if is_cbor { wanted.cbor() } else { wanted.json() };
        let payload = damaged(whole, &damage);
        let mut room = Room::new();
        let mut rig = room.online();
        rig.say("d/wm/c/1", &payload);
        let (told, arrivals) = (rig.told(), rig.arrivals());
        let commands = told.iter().filter(|told| matches!(told, Told::Command { .. })).count();
        prop_assert_eq!(told.len(), commands, "{:?}", told);
        prop_assert_eq!(commands + arrivals.len(), 1, "{:?} {:?}", told, arrivals);
        rig.say("d/wm/c/2", br#"{"method":"spin"}"#);
        let told = rig.told();
        prop_assert!(matches!(&told[..], [Told::Command { method: 0, .. }]), "{told:?}");
        Ok(())
    });
}

/// Settings as the hub writes them, with numbers that are in bounds and beyond them.
fn settings() -> impl Strategy<Value = (u64, String)> {
    let number = || {
        option::of(prop_oneof![
            4 => 0..200_u64,
            1 => u64::from(u32::MAX) - 2..u64::from(u32::MAX) + 3,
            1 => any::<u64>(),
        ])
    };
    let version = prop_oneof![
        1..100_u64,
        Just(0),
        u64::from(u32::MAX) - 1..u64::from(u32::MAX) + 2,
        any::<u64>()
    ];
    (version, number(), number(), number()).prop_map(|(version, age, deadband, interval)| {
        let member = |name: &str, value: Option<u64>| value.map(|value| format!("\"{name}\":{value}"));
        let metric: Vec<String> = [member("deadband", deadband), member("interval_s", interval)]
            .into_iter()
            .flatten()
            .collect();
        let metrics = format!("\"metrics\":{{\"3\":{{{}}}}}", metric.join(","));
        let all: Vec<String> = [
            Some(format!("\"version\":{version}")),
            member("batch_age_s", age),
            Some(metrics),
        ]
        .into_iter()
        .flatten()
        .collect();
        (version, format!("{{{}}}", all.join(",")))
    })
}

/// Settings are in force if their version is one; what is kept of them is in force in the same way after a restart.
#[test]
fn fuzz_settings_are_the_same_after_a_restart() {
    // ASCII: the rig shows settings as text.
    let damage = vec((any::<Index>(), 0x20..0x7F_u8), 0..4);
    let values = vec((-300..300_i32, 0..100_000_u64), 1..30);
    let case = (settings(), damage, values);
    fuzz(300, &case, |((version, text), damage, values)| {
        let payload = damaged(format!("{{\"reporting\":{text}}}").into_bytes(), &damage);
        let (mut room, mut later) = (Room::new(), Room::new());
        let mut rig = room.online();
        let metric = rig.agent.metric(METRIC).expect("there is memory");
        rig.say("v1/devices/me/attributes", &payload);
        let told = rig.told();
        let kept = match &told[..] {
            [] => None,
            [Told::Settings(version, kept)] => Some((*version, kept.as_bytes())),
            other => {
                prop_assert!(false, "{other:?}");
                None
            }
        };
        let in_force = rig.agent.settings_version();
        prop_assert_eq!(in_force, kept.map_or(0, |(version, _)| version));
        if damage.is_empty() {
            prop_assert_eq!(
                u64::from(in_force),
                if version <= u64::from(u32::MAX) { version } else { 0 }
            );
        }
        let Some((_, kept)) = kept else { return Ok(()) };
        let mut after = later.agent();
        let same = after.agent.metric(METRIC).expect("there is memory");
        prop_assert!(after.agent.restore_settings(kept));
        prop_assert_eq!(after.agent.settings_version(), in_force);
        let mut now = rig.now;
        for (value, wait_ms) in values {
            now += wait_ms;
            let is_reading = rig.agent.report(metric, value, now);
            prop_assert_eq!(after.agent.report(same, value, now), is_reading, "{} at {}", value, now);
        }
        Ok(())
    });
}
