//! What the tests of pages and HTTP share with the gallery: sample tickets, and the store in memory with tickets like them.

pub mod families;
pub mod hub;
pub mod sample;
pub mod scene;

use hub_api::{ApiConfig, ApiState, Monitor, ReadNormal, Redecode, Redecoded};
use hub_core::clock::ManualClock;
use hub_core::normal::{LearnedNormal, NoNormal};
use hub_store::memory::MemoryStore;
use hub_store::telemetry::Ingest;
use std::sync::Arc;

/// An API over this store, in the sample's morning.
pub fn state(store: Arc<MemoryStore>) -> ApiState {
    ApiState {
        store,
        clock: Arc::new(ManualClock::new(sample::at("09:05"))),
        families: tokio::sync::watch::channel(Arc::new(families::families())).1,
        monitor: Monitor::default(),
        redecode: reads_json(),
        read_normal: reads_states(),
        demo: None,
        config: ApiConfig::default(),
    }
}

/// Reads JSON objects as attributes, and nothing else: what a payload holds does not matter here.
pub fn reads_json() -> Redecode {
    Arc::new(|held| {
        let read = serde_json::from_slice(&held.kept.payload);
        let content = read.map(|values| Ingest::Attributes {
            appliance: held.kept.appliance,
            values,
            at: held.kept.received_at,
        });
        let redecoded = content.map_or_else(|error| Redecoded::Refused(error.to_string()), Redecoded::Content);
        Box::pin(async move { Ok(redecoded) })
    })
}

/// Reads every state that was saved as the sample's: what a state holds does not matter here.
pub fn reads_states() -> ReadNormal {
    Arc::new(|saved| match (saved.states.first(), saved.restarted) {
        (Some(state), _) => Ok(LearnedNormal {
            as_of: state.saved_at,
            ..sample::normal()
        }),
        (None, true) => Err(NoNormal::Restarted),
        (None, false) => Err(NoNormal::NothingSaved),
    })
}
