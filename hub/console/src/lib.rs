//! The console: pages rendered here, forms that call the functions of the API, and nothing that needs a script.
//!
//! Owns how everything looks and reads to a person, in both languages. Stands on `hub-api`, for log-in, state and acts: it
//! can do nothing that the API cannot, and knows the store only as far as to show what is in it.

mod assets;
mod chart;
mod layout;
mod pages;
mod reader;
mod texts;
mod visitor;
mod words;

#[cfg(test)]
#[path = "../../api/tests/support/families.rs"]
mod washing_machine;

pub use pages::PAGES;
