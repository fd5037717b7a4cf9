//! The short form of `make soak-kill`.

use tests_hub::soak::{Plan, run};

/// MQTT 3.1.1 and 5.0, QoS 1 and 2: nothing acknowledged is lost, nothing is stored twice.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_random_moments_loses_and_doubles_nothing() {
    let plan = Plan {
        seed: 20,
        rounds: 3,
        publishers: 32,
    };
    let outcome = run(plan, |line| println!("{line}")).await.unwrap();
    println!("{outcome:?}");
    assert!(outcome.acknowledged > 0, "{outcome:?}");
    assert_eq!((outcome.lost(), outcome.doubled()), (0, 0), "{outcome:?}");
    // The last acknowledgement of everything sent has come, so there is also nothing that was never acknowledged.
    assert_eq!(outcome.stored.rows, outcome.acknowledged, "{outcome:?}");
}
