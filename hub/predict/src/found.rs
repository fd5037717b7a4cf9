//! What is counted in a file, with a place to look at.

/// How many of a kind there are, and the line of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// How many.
    pub count: usize,
    /// Line in the file, the heading being 1.
    pub first_line: usize,
}
