//! Rust source as a flat list of tokens: comments and doc comments are gone, string literals are whole.

use proc_macro2::{TokenStream, TokenTree};
use std::str::FromStr;

/// One identifier, sign, bracket or literal.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    /// As written; string literals with their quotes.
    pub text: String,
    /// From 1.
    pub line: usize,
}

impl Token {
    /// The inside of a string literal, escapes left as written; `None` for anything else.
    pub fn string(&self) -> Option<&str> {
        let body = self.text.trim_start_matches(['b', 'c', 'r', '#']);
        body.strip_prefix('"')?.trim_end_matches('#').strip_suffix('"')
    }
}

/// Reads a source file; an error names the line that is not Rust.
pub fn tokens(source: &str) -> Result<Vec<Token>, (usize, String)> {
    let stream = TokenStream::from_str(source).map_err(|error| (error.span().start().line, error.to_string()))?;
    let mut flat = Vec::new();
    flatten(stream, &mut flat);
    Ok(flat)
}

fn flatten(stream: TokenStream, flat: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) if is_doc(&group.stream()) => {}
            TokenTree::Group(group) => flatten(group.stream(), flat),
            other => flat.push(Token {
                text: other.to_string(),
                line,
            }),
        }
    }
}

/// A doc comment arrives as `#[doc = "text"]`; `stream` is what is inside the brackets.
fn is_doc(stream: &TokenStream) -> bool {
    let mut trees = stream.clone().into_iter();
    matches!(trees.next(), Some(TokenTree::Ident(name)) if name == "doc")
        && matches!(trees.next(), Some(TokenTree::Punct(sign)) if sign.as_char() == '=')
}

/// Lines on which these tokens stand in this order.
pub fn lines_with(tokens: &[Token], sequence: &[&str]) -> Vec<usize> {
    tokens
        .windows(sequence.len())
        .filter(|window| window.iter().zip(sequence).all(|(token, wanted)| token.text == *wanted))
        .map(|window| window[0].line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{lines_with, tokens};

    #[test]
    fn comments_are_gone_and_strings_are_whole() {
        let source = "//! Instant::now in words\nfn f() {\n    // Instant::now()\n    g(Instant::now(), r#\"a \"b\" now()\"#);\n}\n";
        let tokens = tokens(source).unwrap();
        assert_eq!(lines_with(&tokens, &["Instant", ":", ":", "now"]), [4]);
        let strings: Vec<&str> = tokens.iter().filter_map(|token| token.string()).collect();
        assert_eq!(strings, ["a \"b\" now()"]);
    }

    #[test]
    fn names_a_line_that_is_not_rust() {
        assert_eq!(tokens("fn f() {\n  \"open\n").unwrap_err().0, 2);
    }
}
