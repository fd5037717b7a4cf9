//! Where a ticket stands is said by `hub_core::ticket`: a store takes the words from there, never from a text of its own.

use super::bans::is_sql;
use super::source::{Token, is_test, tokens, without_tests};
use super::{TextFile, Violation};
use std::path::Path;

/// Where the states and their categories are declared.
const DECLARED: &str = "hub/core/src/ticket/state.rs";

/// The enums there whose words a store may not repeat.
const ENUMS: [&str; 2] = ["TicketState", "TicketCategory"];

/// A finding is open too, and is stored so; visits have a table of their own.
const OF_OTHERS: [&str; 2] = ["open", "appointment"];

/// Where SQL and stores are.
const STORES: [&str; 3] = ["hub/store", "hub/store-postgres", "hub/moving"];

/// Checks all Rust of the stores, tests apart.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    let declared = files.iter().find(|file| file.path == Path::new(DECLARED));
    let words = ENUMS.map(|name| declared.map(|file| words(file, name)).unwrap_or_default());
    if words.iter().any(Vec::is_empty) {
        let names = ENUMS.join(" and ");
        let text = format!("not both {names} are here: tell xtask/src/tidy/ticket_states.rs where they are");
        return vec![Violation::new(DECLARED, 0, text)];
    }
    let mut words = words.concat();
    words.retain(|word| !OF_OTHERS.contains(&word.as_str()));
    let in_store = |file: &&TextFile| STORES.iter().any(|store| file.path.starts_with(store));
    let code = files.iter().filter(in_store);
    code.filter(|file| file.has_extension("rs") && !is_test(&file.path))
        .flat_map(|file| repeated(file, &words))
        .collect()
}

/// The words of an enum's variants, as they are stored.
fn words(declared: &TextFile, name: &str) -> Vec<String> {
    let mut all = tokens(&declared.text).unwrap_or_default();
    // What is left of a doc comment.
    all.retain(|token| token.text != "#");
    let opens = |pair: &[Token]| pair[0].text == "enum" && pair[1].text == name;
    let Some(at) = all.windows(2).position(opens) else {
        return Vec::new();
    };
    let variants = all[at + 2..].chunks_exact(2).take_while(|pair| pair[1].text == ",");
    variants.map(|pair| snake_case(&pair[0].text)).collect()
}

fn snake_case(name: &str) -> String {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

fn repeated(file: &TextFile, words: &[String]) -> Vec<Violation> {
    // What is no Rust is another rule's.
    let tokens = tokens(without_tests(&file.text)).unwrap_or_default();
    let found = tokens.iter().filter_map(|token| Some((token, repeats(token, words)?)));
    found
        .map(|(token, word)| {
            let text = format!("`{word}` is where a ticket stands: take the word from hub_core::ticket::TicketState");
            Violation::new(&file.path, token.line, text)
        })
        .collect()
}

/// The word that a string literal is, or that is a text in its SQL.
fn repeats<'a>(token: &Token, words: &'a [String]) -> Option<&'a String> {
    let literal = token.string()?.to_lowercase();
    let quoted = |word: &&String| is_sql(&literal) && literal.contains(&format!("'{word}'"));
    words.iter().find(|word| literal == **word || quoted(word))
}

#[cfg(test)]
mod tests {
    use super::{DECLARED, TextFile, check};

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.into(),
            text: text.into(),
        }
    }

    fn declared() -> TextFile {
        let text = "/// A.\npub enum TicketCategory {\n    /// B.\n    Open,\n    /// C.\n    Paused,\n}\n\n#[derive(Debug)]\n\
             pub enum TicketState {\n    /// D.\n    ContactPlanned,\n    /// E.\n    Closed,\n}\n\nimpl TicketState {}\n";
        file(DECLARED, text)
    }

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let found = check(&[declared(), file(path, text)]);
        found.iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_store_does_not_repeat_where_a_ticket_stands() {
        let source = "fn f() {\n    q(\"select from ticket where state <> 'closed'\");\n    q(&[\"contact_planned\"]);\n    \
             q(\"select from finding where state = 'open'\");\n    e(\"the pool is 'closed'\");\n    \
             q(\"select from ticket where state = '{planned}' and closed_at is null\");\n}\n";
        assert_eq!(lines("hub/store-postgres/src/contact.rs", source), [2, 3]);
        assert_eq!(lines("hub/store/src/memory/contact.rs", source), [2, 3]);
        for other in [
            "hub/store-postgres/tests/store/contact.rs",
            "hub/store/src/conformance/contact.rs",
            "hub/api/src/pages/ticket.rs",
        ] {
            assert_eq!(lines(other, source), [0; 0], "{other}");
        }
        let tested = format!("#[cfg(test)]\nmod tests {{\n{source}}}\n");
        assert_eq!(lines("hub/store-postgres/src/contact.rs", &tested), [0; 0]);
    }

    #[test]
    fn the_rule_knows_where_states_are() {
        let found = check(&[file("hub/core/src/ticket.rs", &declared().text)]);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
