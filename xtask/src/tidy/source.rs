//! Rust source as a flat list of tokens: comments and doc comments are gone, string literals are whole.

use proc_macro2::{TokenStream, TokenTree};
use std::path::Path;
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

/// Whether a Rust file is a test as a whole: named `tests.rs` or `…_tests.rs`, or in a folder of tests or of the stores' cases.
pub fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut folders = path.components().map(|folder| folder.as_os_str());
    name == "tests.rs" || name.ends_with("_tests.rs") || folders.any(|name| name == "tests" || name == "conformance")
}

/// What stands before the module of tests that a file ends with; all of it where there is none.
pub fn without_tests(source: &str) -> &str {
    let opens_module = |rest: &str| {
        let line = rest.lines().next().unwrap_or_default();
        line.split(' ').any(|word| word == "mod") && line.ends_with(" {")
    };
    let ends = source
        .match_indices("#[cfg(test)]\n")
        .filter(|(at, _)| *at == 0 || source[..*at].ends_with('\n'))
        .find(|(at, attribute)| opens_module(&source[at + attribute.len()..]));
    ends.map_or(source, |(at, _)| &source[..at])
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
    use super::{is_test, lines_with, tokens, without_tests};
    use std::path::Path;

    #[test]
    fn tests_are_told_by_name_by_folder_and_by_the_module_at_the_end() {
        for test in [
            "a/tests.rs",
            "a/sdp_tests.rs",
            "a/tests/b.rs",
            "hub/store/src/conformance/b.rs",
        ] {
            assert!(is_test(Path::new(test)), "{test}");
        }
        for code in ["a/fake.rs", "a/attests.rs", "a/src/test.rs"] {
            assert!(!is_test(Path::new(code)), "{code}");
        }
        let code = "#[cfg(test)]\nmod fake;\n\nfn f() {\n    #[cfg(test)]\n    mod inner {}\n}\n";
        assert_eq!(without_tests(code), code);
        for opens in ["mod tests {", "pub(super) mod tests {"] {
            assert_eq!(without_tests(&format!("{code}#[cfg(test)]\n{opens}\n}}\n")), code);
        }
    }

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
