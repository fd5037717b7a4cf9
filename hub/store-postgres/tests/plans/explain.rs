//! What ran, and by which plan: `auto_explain` tells each client the plan of each of its statements as a notice, sqlx hands
//! notices to `tracing`, and here they are caught, each with the step of the load in which it came.

use sqlx::postgres::PgConnectOptions;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// Where sqlx sends notices.
const NOTICES: &str = "sqlx::postgres::notice";
/// What stands before the plan in such a notice.
const BEFORE_THE_PLAN: &str = "plan:\n";

/// How the server plans a statement that has parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For the values of each run.
    Custom,
    /// Once, for any values.
    Generic,
}

/// Options whose connections are told the plan of every statement, also of those within functions and of the checks of
/// foreign keys. The user must be a superuser.
pub fn explained(options: PgConnectOptions, mode: Mode) -> PgConnectOptions {
    let mode = match mode {
        Mode::Custom => "force_custom_plan",
        Mode::Generic => "force_generic_plan",
    };
    options.options([
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_buffers", "on"),
        ("auto_explain.log_timing", "off"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_format", "json"),
        ("auto_explain.log_level", "notice"),
        ("plan_cache_mode", mode),
        // As a server has it by default; the one in WebAssembly starts without. What the hub says of it comes later, and
        // counts.
        ("enable_seqscan", "on"),
    ])
}

/// A step of the load, and for how many rows, partitions or appliances each of its statements asks at most.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    pub asked: u64,
}

/// A statement that ran.
pub struct Ran {
    pub step: Step,
    /// As `auto_explain` writes it, in JSON.
    pub plan: String,
}

/// Catches what this thread is told, until it is dropped.
pub struct Plans {
    caught: Arc<Mutex<Caught>>,
    _guard: DefaultGuard,
}

struct Caught {
    step: Step,
    ran: Vec<Ran>,
}

impl Plans {
    /// From now on, on this thread.
    pub fn catch() -> Self {
        let step = Step {
            name: "start",
            asked: 256,
        };
        let caught = Arc::new(Mutex::new(Caught { step, ran: Vec::new() }));
        let guard = tracing::subscriber::set_default(Catcher(Arc::clone(&caught)));
        Self { caught, _guard: guard }
    }

    /// What comes from here on belongs to this step.
    pub fn step(&self, name: &'static str, asked: u64) {
        lock(&self.caught).step = Step { name, asked };
    }

    /// What ran since the last time.
    pub fn take(&self) -> Vec<Ran> {
        std::mem::take(&mut lock(&self.caught).ran)
    }
}

fn lock(caught: &Mutex<Caught>) -> MutexGuard<'_, Caught> {
    caught.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears notices and nothing else.
struct Catcher(Arc<Mutex<Caught>>);

impl Subscriber for Catcher {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == NOTICES
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        if let Some((_, plan)) = message.0.split_once(BEFORE_THE_PLAN) {
            let mut caught = lock(&self.0);
            let step = caught.step;
            caught.ran.push(Ran {
                step,
                plan: plan.to_owned(),
            });
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
