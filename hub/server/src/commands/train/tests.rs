//! What `forecall train` asks for.

use crate::commands::Cli;
use clap::Parser;

#[test]
fn what_is_missing_or_unknown_is_refused_before_anything_is_read() {
    for (args, why) in [
        (vec!["--healthy", "a.csv", "--out", "m"], "--profile"),
        (vec!["--profile", "p.toml", "--out", "m"], "--healthy"),
        (
            vec![
                "--profile",
                "p.toml",
                "--healthy",
                "a.csv",
                "--out",
                "m",
                "--evidence",
                "hearsay",
            ],
            "simulated, laboratory or fleet",
        ),
        (
            vec![
                "--profile",
                "p.toml",
                "--healthy",
                "a.csv",
                "--out",
                "m",
                "--version",
                "0",
            ],
            "--version",
        ),
    ] {
        let words = ["forecall", "train"].into_iter().chain(args);
        let said = Cli::try_parse_from(words).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
}
