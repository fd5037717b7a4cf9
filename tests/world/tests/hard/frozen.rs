//! The output of a small fleet of each appliance, and of its truth. A change of it changes the ground that detectors are
//! compared on: raise `VERSION`, and measure again what was measured on the version before.

use super::start;
use hub_core::profile::ApplianceProfile;
use tests_world::hard::{Faults, Fleet, Life, Row, VERSION};
use tests_world::profiles;

/// FNV-1a, 64 bits.
struct Hash(u64);

impl Hash {
    fn add(&mut self, number: i64) {
        for byte in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// What the hub stores, so that the last bit of a logarithm does not decide.
    fn row(&mut self, profile: &ApplianceProfile, row: &Row) {
        self.add(row.received.as_second());
        self.add(row.sample.at.as_second());
        for (channel, (_, value)) in profile.channels.iter().zip(&row.sample.values) {
            self.add(channel.quantise(*value).unwrap().into());
        }
    }

    fn life(&mut self, life: &Life) {
        for episode in life.episodes() {
            self.add(episode.effect as i64);
            self.add((episode.from_day * 1_440.0) as i64);
        }
        for fault in life.faults() {
            self.add(fault.kind as i64);
            self.add((fault.failure_day * 1_440.0) as i64);
            self.add((fault.amplitude * 1e6) as i64);
        }
    }
}

fn fleet(days: u32) -> Fleet {
    let mut fleet = Fleet::new(18, start(), days);
    fleet.faults = Faults::PerYear(2.0);
    fleet
}

fn hash(profile: &ApplianceProfile, lives: impl Iterator<Item = (Life, Vec<Row>)>) -> (usize, String) {
    let (mut hash, mut rows) = (Hash(0xcbf2_9ce4_8422_2325), 0);
    for (life, all) in lives {
        hash.life(&life);
        rows += all.len();
        all.iter().for_each(|row| hash.row(profile, row));
    }
    (rows, format!("{:016x}", hash.0))
}

#[test]
fn washing_machines_are_frozen() {
    let fleet = fleet(120);
    let units = (0..6).map(|number| fleet.washing_machine(number));
    let lives = units.map(|unit| (unit.life().clone(), unit.collect()));
    let (rows, hash) = hash(&profiles::washing_machine(), lives);
    assert_eq!((VERSION, rows, hash.as_str()), (1, 42_933, "04a63f33192f81ba"));
}

#[test]
fn fridges_are_frozen() {
    let fleet = fleet(60);
    let units = (0..4).map(|number| fleet.fridge(number));
    let lives = units.map(|unit| (unit.life().clone(), unit.collect()));
    let (rows, hash) = hash(&profiles::fridge(), lives);
    assert_eq!((VERSION, rows, hash.as_str()), (1, 64_168, "5c98088afa1484c1"));
}
