//! The program's arguments: `name=value`, with spaces between them.

/// All arguments.
#[derive(Clone, Copy)]
pub struct Args<'a>(pub &'a str);

impl<'a> Args<'a> {
    /// The value of a name, if it is among them.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let mut words = self.0.split_ascii_whitespace();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The same as a number; `None` also where it is none.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}
