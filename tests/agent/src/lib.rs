//! What tests of the device agent share: a hub that is played, a conversation of a session and one of an agent, and C
//! programs with the agent's library. It knows no transport and no clock: those are what the tests differ in.

pub mod c;
pub mod drum;
pub mod hub;
pub mod replier;
