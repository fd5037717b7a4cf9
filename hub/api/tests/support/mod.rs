//! What the tests of pages and HTTP share with the gallery: sample tickets, and a store that holds just these.

pub mod sample;
pub mod store;
