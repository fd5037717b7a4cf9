//! Fault prediction: model folders, each appliance's own baseline, the detector that joins the two, and the one road on which
//! rows come to their detectors.
//!
//! Rows go in as they are stored, verdicts come out (`batch`), and what a scorer has to save (`watch`); nothing here knows a
//! database, a socket or the time of day. The only crate that knows tract, and only in `network`.
//!
//! Readings of one period become one row (`gather`), a row becomes model steps (`resampler`), a step is compared with the unit's own baseline (`baseline`) and
//! with what the family's autoencoder can reproduce (`network`), and an alarm needs both for a hold time
//! (`persistence`). A family without a network is judged by the detector that needs no training (`generic`), and so is an appliance
//! whose profile no model is for; of programme runs or days it may name faults by the figures that they move (`run_features`). What a
//! maker's own recordings teach it is a folder of files (`training`).

mod baseline;
mod batch;
mod course;
mod cycle;
mod detector;
mod evidence;
mod features;
mod floors;
mod found;
mod gather;
pub mod generic;
mod golden;
mod levels;
pub mod manifest;
mod matrix;
mod means;
mod model;
mod naming;
mod network;
mod pack;
mod persistence;
mod registry;
mod resample;
mod resampler;
mod run_features;
mod score;
mod serving;
mod stamps;
mod steps;
mod stuck;
mod summary;
mod table;
pub mod training;
pub mod trial;
mod verdict;
mod watch;

pub use batch::{Batch, Detectors, Failed, Judged, Manner, Progress, ROWS_MAX, RowRef, WINDOWS_MAX, is_reading};
pub use detector::{CheckpointError, Detector, Pending, Standing, Taken};
pub use floors::FleetReader;
pub use found::Found;
pub use golden::{golden_life, golden_runs};
pub use manifest::Manifest;
pub use model::{Model, ModelError, load_manifest};
pub use network::{Reconstruction, ScoreError, Window};
pub use registry::{Registry, RegistryError, model_files};
pub use run_features::{FromRows, RunFeature, RunFigures, RunReader, Source, Take};
pub use score::{ScoreCsvError, Times, score_csv, score_rows};
pub use serving::{Serving, ServingError};
pub use stamps::{Stamps, stamps};
pub use steps::{StepFeatures, Steps};
pub use summary::Summary;
pub use table::{Row, Table, TableError, quantise_row, read_rows, stored};
pub use verdict::{SensorShare, Verdict};
pub use watch::{Scored, Watch};
