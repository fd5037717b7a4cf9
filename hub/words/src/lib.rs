//! How texts, numbers, times and sums of money are put into words, for eyes ([`written`]) and for ears ([`spoken`]), in both
//! languages.
//!
//! The texts themselves belong to the crate that shows or says them, and are handed in ([`Texts::load`]). Nothing here knows
//! what a ticket or a call is.

pub mod spoken;
mod texts;
mod values;
pub mod written;

pub use texts::{TextError, Texts};
