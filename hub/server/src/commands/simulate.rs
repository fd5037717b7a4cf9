//! `forecall simulate`: recordings that no appliance made.

use crate::terminal::say;
use anyhow::{Context, Result};
use hub_lab::recording::{ROWS, SOUND_ROWS, pump};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// The pump of those who name no other.
const SEED: u64 = 8_412;

/// Writes a recording that no appliance made, for trying `score` and `replay` without one.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    #[command(subcommand)]
    appliance: Appliance,
}

#[derive(Debug, clap::Subcommand)]
enum Appliance {
    /// Twenty minutes of a water pump as CSV, one row a second: sound for ten minutes, then its flow falls. Family and profile are
    /// pump-rig.
    Pump(Pump),
}

#[derive(Debug, clap::Args)]
struct Pump {
    /// CSV to write; it must not exist yet.
    file: PathBuf,
    /// Which pump: the same seed gives the same file.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
}

impl Simulate {
    /// Carries the command out.
    pub fn run(self) -> Result<()> {
        match self.appliance {
            Appliance::Pump(command) => command.run(),
        }
    }
}

impl Pump {
    fn run(self) -> Result<()> {
        let name = self.file.display();
        // Somebody's own recording could have this name.
        let mut file = File::create_new(&self.file)
            .with_context(|| format!("cannot make {name}; a file that is there stays as it is"))?;
        file.write_all(pump(self.seed).as_bytes())
            .with_context(|| format!("cannot write {name}"))?;
        say(format_args!(
            "{name}: {ROWS} seconds of a simulated pump (seed {}); its flow falls from row {} on",
            self.seed,
            SOUND_ROWS + 1
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_predict::{Registry, score_csv};
    use std::path::Path;

    /// Whichever pump somebody tries with: no alarm while it is sound, one soon after that, and it stands to the end.
    #[test]
    fn the_shipped_model_finds_the_fault_of_every_pump() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let registry = Registry::load(&models).unwrap();
        let model = registry.get("pump-rig").unwrap();
        for seed in (1..=7).chain([SEED]) {
            let mut scored = Vec::new();
            let calibration = model.manifest().baseline.calibration;
            score_csv(pump(seed).as_bytes(), &mut scored, model, calibration).unwrap();
            let scored = String::from_utf8(scored).unwrap();
            let alarms: Vec<bool> = scored
                .lines()
                .skip(1)
                .map(|row| row.split(',').nth(2) == Some("1"))
                .collect();
            assert_eq!(alarms.len(), ROWS as usize);
            let first = alarms.iter().position(|alarm| *alarm).unwrap();
            let soon = SOUND_ROWS as usize..SOUND_ROWS as usize + 180;
            assert!(soon.contains(&first), "seed {seed}: alarm at row {first}");
            assert!(alarms[first..].iter().all(|alarm| *alarm), "seed {seed}: it stands");
        }
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pump.csv");
        let write = || {
            Pump {
                file: file.clone(),
                seed: 1,
            }
            .run()
        };
        write().unwrap();
        std::fs::write(&file, "mine").unwrap();
        let refused = format!("{:#}", write().unwrap_err());
        assert!(refused.contains("pump.csv") && refused.contains("stays"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
