//! Models: what is accepted of each family, the scores that follow from the fleet's past, what has stopped, and what became of
//! predictions.

mod floors;
pub(crate) mod forms;
pub(super) mod page;
mod scores;
mod story;
