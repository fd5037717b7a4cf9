//! The device agent for C: session and outbox of `agent-sdk-core`, its agent with metrics above them, first boot, and the
//! secrets and the spill of `agent-sdk-storage`, behind functions that a C program calls, described by
//! `include/forecall_agent.h`, which is made from this code.
//!
//! All memory is the caller's, and there is none besides: no globals, so a program may run as many agents as it has memory
//! for. An agent is used by one thread at a time. The only crate of the agent with `unsafe`; what is not about pointers is
//! in `agent-sdk-core`.
//!
//! On bare metal it is built with the feature `no-panic-proof`, as a static library and optimised as a whole:
//! `cargo rustc --package agent-sdk-ffi --crate-type staticlib --profile firmware --features no-panic-proof --target …`.
#![cfg_attr(target_os = "none", no_std)]

mod agent;
mod calls;
mod enrolment;
mod flash;
mod machine;
mod machine_link;
mod machine_place;
mod machine_types;
mod pointers;
#[cfg(feature = "no-panic-proof")]
mod proof;
mod spill;
mod types;

pub use agent::FcAgent;
pub use calls::*;
pub use enrolment::*;
pub use flash::*;
pub use machine::*;
pub use machine_link::*;
pub use machine_types::*;
pub use spill::*;
pub use types::*;
