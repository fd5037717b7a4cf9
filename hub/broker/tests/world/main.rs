//! Many devices and one hub in a simulated world: links that are cut, a hub that crashes between any two steps, devices
//! that lose their session state. Those that speak MQTT 3.1.1 at QoS 1 are our own agent. Seeds decide everything; one that
//! fails is printed.
//!
//! What holds: what a device was told is stored is stored, at the moment at which it is told; each message of a kept
//! session at QoS 2 is stored exactly once without any help by sequence numbers; each command reaches its device, and
//! counts as taken only after that; and when the trouble ends, everything is delivered.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a failed test may panic"))]

mod agent;
mod device;
mod foreign;
mod hub;
mod store;
mod wire;
mod world;

use world::World;

/// Seeds of the short run.
const SEEDS: std::ops::Range<u64> = 0..60;

#[test]
fn fuzz_world() {
    let asked = std::env::var("FORECALL_FUZZ_SECONDS").ok();
    let seconds = asked.map(|text| text.parse().expect("FORECALL_FUZZ_SECONDS is a number of seconds"));
    let began = std::time::Instant::now();
    let mut seen = world::Seen::default();
    for seed in 0.. {
        let is_over = match seconds {
            Some(seconds) => began.elapsed() >= std::time::Duration::from_secs(seconds),
            None => seed >= SEEDS.end,
        };
        if is_over {
            break;
        }
        let outcome = std::panic::catch_unwind(|| World::new(seed).run());
        match outcome {
            Ok(one) => seen.add(&one),
            Err(panic) => {
                eprintln!("the seed that fails is {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    // A world without trouble would prove nothing.
    assert!(seen.cuts > 500 && seen.crashes > 50 && seen.takeovers > 20, "{seen:?}");
    assert!(seen.present > 100 && seen.restarts > 20, "{seen:?}");
    assert!(seen.messages > 4_000 && seen.commands > 500, "{seen:?}");
}
