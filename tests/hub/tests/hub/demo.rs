//! The story that a stranger sees: one command, and a phone rings.

use tests_hub::hub::Lab;

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_plays_from_reading_to_verdict() {
    let lab = Lab::new().unwrap();
    let models = tests_hub::hub::project().join("models");
    let told = lab
        .run(&[
            "demo",
            "--headless",
            "--http",
            "127.0.0.1:0",
            "--models",
            models.to_str().unwrap(),
        ])
        .await
        .unwrap();
    let mut from = 0;
    for stage in ["telemetry", "prediction", "ticket", "contact", "outcome"] {
        let found = told[from..]
            .find(&format!("\n{stage} "))
            .unwrap_or_else(|| panic!("no line of {stage}:\n{told}"));
        from += found;
    }
    assert!(told.contains("not called, its owner withdrew consent"), "{told}");
    for piece in [
        "ready to ring; the model's evidence is simulated, 0 of 0 closed tickets right",
        "the administrator (simulated) approves the call of #",
    ] {
        assert!(told.contains(piece), "{piece} is not in\n{told}");
    }
    let last = told.lines().last().unwrap();
    let mut words = last.split_whitespace();
    let (Some("acknowledged"), Some(n), Some("="), Some("stored"), Some(m)) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        panic!("{last}");
    };
    assert_eq!(n, m);
    assert!(n.parse::<u64>().unwrap() > 1_000);
}
