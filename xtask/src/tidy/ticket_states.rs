//! Where a ticket stands is said by `hub_core::ticket`: a store takes the words from there, never from a text of its own.

use super::bans::is_sql;
use super::source::{Token, is_test, tokens, without_tests};
use super::{TextFile, Violation};
use std::path::Path;

/// The enums whose words a store may not repeat, and where they are declared.
const ENUMS: [(&str, &str); 2] = [
    ("TicketCategory", "hub/core/src/ticket/status.rs"),
    ("ContactPhase", "hub/core/src/contact/thread.rs"),
];

/// A finding is open too, and is stored so: in SQL the word is a ticket's only beside the column of one.
const OF_FINDINGS: &str = "open";

/// Columns of a ticket in which the words stand.
const COLUMNS: [&str; 2] = ["category", "contact_phase"];

/// A column of others, so that the word alone is no ticket's.
const OF_LEASES: &str = "held";

/// Where SQL and stores are.
const STORES: [&str; 3] = ["hub/store", "hub/store-postgres", "hub/moving"];

/// Checks all Rust of the stores, tests apart.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    let mut all = Vec::new();
    for (name, path) in ENUMS {
        let declared = files.iter().find(|file| file.path == Path::new(path));
        let words = declared.map(|file| words(file, name)).unwrap_or_default();
        if words.is_empty() {
            let text = format!("{name} is not here: tell xtask/src/tidy/ticket_states.rs where it is");
            return vec![Violation::new(path, 0, text)];
        }
        all.extend(words);
    }
    let in_store = |file: &&TextFile| STORES.iter().any(|store| file.path.starts_with(store));
    let code = files.iter().filter(in_store);
    code.filter(|file| file.has_extension("rs") && !is_test(&file.path))
        .flat_map(|file| repeated(file, &all))
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
            let text = format!(
                "`{word}` is where a ticket stands: take the word from TicketCategory or ContactPhase of hub_core"
            );
            Violation::new(&file.path, token.line, text)
        })
        .collect()
}

/// The word that a string literal is, or that is a text in its SQL.
fn repeats<'a>(token: &Token, words: &'a [String]) -> Option<&'a String> {
    let literal = token.string()?.to_lowercase();
    let is_of_ticket = COLUMNS.iter().any(|column| literal.contains(column));
    let is_alone = |word: &str| literal == word && word != OF_FINDINGS && word != OF_LEASES;
    let is_quoted = |word: &str| is_sql(&literal) && literal.contains(&format!("'{word}'"));
    words
        .iter()
        .find(|word| is_alone(word) || is_quoted(word) && (*word != OF_FINDINGS || is_of_ticket))
}

#[cfg(test)]
mod tests {
    use super::{ENUMS, TextFile, check};

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.into(),
            text: text.into(),
        }
    }

    fn declared() -> [TextFile; 2] {
        let category = "/// A.\npub enum TicketCategory {\n    /// B.\n    Open,\n    /// C.\n    Resolved,\n}\n";
        let phase = "#[derive(Debug)]\npub enum ContactPhase {\n    /// D.\n    Planned,\n    /// E.\n    InCall,\n    Held,\n}\n\n\
             impl ContactPhase {}\n";
        let [of_category, of_phase] = ENUMS.map(|(_, path)| path);
        [file(of_category, category), file(of_phase, phase)]
    }

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let [category, phase] = declared();
        let found = check(&[category, phase, file(path, text)]);
        found.iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_store_does_not_repeat_where_a_ticket_stands() {
        let source = "fn f() {\n    q(\"select from ticket where category <> 'resolved'\");\n    q(&[\"in_call\"]);\n    \
             q(\"select from finding where state = 'open'\");\n    e(\"the pool is 'planned'\");\n    \
             q(\"select from ticket where contact_phase = '{planned}' and closed_at is null\");\n    \
             q(\"select from ticket where category = 'open'\");\n    row.col(\"held\");\n    \
             q(\"select from ticket where contact_phase = 'held'\");\n}\n";
        let found = [2, 3, 7, 9];
        assert_eq!(lines("hub/store-postgres/src/contact.rs", source), found);
        assert_eq!(lines("hub/store/src/memory/contact.rs", source), found);
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
    fn the_rule_knows_where_the_words_are() {
        let [category, phase] = declared();
        for one in [category, phase] {
            let found = check(&[one]);
            assert_eq!(found.len(), 1, "{found:?}");
        }
    }
}
