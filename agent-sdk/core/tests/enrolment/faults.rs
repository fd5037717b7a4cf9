//! Whatever is cut, and whenever: the device ends with a secret of its own that the hub knows, and has shown none that was
//! not kept.

use crate::world::{FAULTS, Fault, World};

/// A way to a secret, how many connections of it the hub sees when nothing goes wrong, and whether a claim is used.
struct Scenario {
    name: &'static str,
    world: fn() -> World,
    connections: usize,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "a claim with one use",
        world: || World::claim(1),
        connections: 1,
    },
    Scenario {
        name: "a claim with many",
        world: || World::claim(9),
        connections: 1,
    },
    Scenario {
        name: "a group",
        world: World::group,
        connections: 3,
    },
    Scenario {
        name: "an exchange",
        world: World::exchange,
        connections: 3,
    },
];

fn check(world: &World, before: u32, name: &str) {
    let faults = &world.faults;
    let password = std::str::from_utf8(&world.password).expect("a secret is text");
    assert_eq!(world.hub.current.as_deref(), Some(password), "{name} {faults:?}");
    assert_eq!(password.len(), 64);
    assert_eq!(world.hub.old, None, "{name} {faults:?}: the old one still lets it in");
    assert!(!world.hub.is_in_group, "{name} {faults:?}: the group still lets it in");
    assert!(
        world.hub.uses_left + 1 >= before,
        "{name} {faults:?}: more than one use"
    );
    assert_ne!(Some(&world.password), world.unwanted.as_ref(), "{name} {faults:?}");
    let flash = world.flash.as_deref().expect("it is kept");
    assert_eq!(flash.len(), 66, "one secret, and nothing is to be ended");
    assert!(flash.ends_with(&world.password));
}

#[test]
fn without_faults_it_takes_no_connection_too_many() {
    for scenario in &SCENARIOS {
        let mut world = (scenario.world)();
        let (before, uses) = (world.hub.shown.len(), world.hub.uses_left);
        world.run();
        check(&world, uses, scenario.name);
        assert_eq!(
            world.hub.shown.len() - before,
            scenario.connections,
            "{}",
            scenario.name
        );
    }
}

#[test]
fn one_fault_at_every_step_of_every_way() {
    for scenario in &SCENARIOS {
        let mut clean = (scenario.world)();
        clean.run();
        assert!(clean.steps > 6, "{}: {} steps", scenario.name, clean.steps);
        for step in 0..clean.steps {
            for fault in FAULTS {
                let mut world = (scenario.world)();
                let uses = world.hub.uses_left;
                world.faults = vec![(step, fault)];
                world.run();
                check(&world, uses, scenario.name);
            }
        }
    }
}

/// The second one comes while the first is being made good.
#[test]
fn two_faults_at_every_two_steps() {
    for scenario in &SCENARIOS {
        let mut clean = (scenario.world)();
        clean.run();
        for first in 0..clean.steps {
            for gap in 1..12 {
                for (one, other) in FAULTS.into_iter().flat_map(|one| FAULTS.map(|other| (one, other))) {
                    let mut world = (scenario.world)();
                    let uses = world.hub.uses_left;
                    world.faults = vec![(first, one), (first + gap, other)];
                    world.run();
                    check(&world, uses, scenario.name);
                }
            }
        }
    }
}

/// Each start is cut a little later than the one before: no start sees the whole way.
#[test]
fn a_power_cut_in_each_of_many_starts() {
    for scenario in &SCENARIOS {
        for every in 3..9 {
            let mut world = (scenario.world)();
            let uses = world.hub.uses_left;
            world.faults = (1..40).map(|cut| (cut * every, Fault::Power)).collect();
            world.run();
            check(&world, uses, scenario.name);
        }
    }
}
