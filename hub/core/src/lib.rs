//! The rules of Forecall, pure: no async, no SQL, no network, no time of day.
//!
//! The path of the data: [`telemetry`] → [`prediction`], [`finding`] → [`ticket`] → [`household`], [`call_rules`], [`consent`],
//! [`contact`] → [`appointment`], [`outcome`]. Durable things change by `apply(self, event, …) -> Result<(Self, actions)>`;
//! what follows from one change for everything else on the same appliance is decided by [`situation`], and saved with it in one
//! transaction.

pub mod accepting;
pub mod access;
pub mod account;
pub mod actor;
pub mod appointment;
pub mod backoff;
pub mod baseline;
pub mod budget;
pub mod call_result;
pub mod call_rules;
pub mod clock;
pub mod consent;
pub mod contact;
pub mod error_chain;
pub mod families;
pub mod finding;
pub mod host;
pub mod household;
pub mod id;
pub mod language;
pub mod lines;
pub mod metric;
pub mod normal;
pub mod number_plan;
pub mod outcome;
pub mod partition;
pub mod phone_number;
pub mod prediction;
pub mod profile;
pub mod quota;
pub mod release;
pub mod reporting;
pub mod retention;
pub mod shadow;
pub mod site;
pub mod situation;
pub mod telemetry;
pub mod ticket;
pub mod watching;
pub mod witness;
pub mod working_hours;
