//! A page of the console imports no other page: what two of them share is in `pages/parts`, which imports none.

use super::{TextFile, Violation};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::path::Path;

/// Where the pages are: each is a file or a folder of this one.
const PAGES: &str = "hub/console/src/pages";
/// The same as a path of Rust.
const MODULE: [&str; 2] = ["crate", "pages"];
/// What belongs to no page.
const SHARED: [&str; 3] = ["mod", "tests", "contrast_tests"];

/// Checks every page, and the parts that they share.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    let own = |file: &&TextFile| file.path.starts_with(PAGES) && file.has_extension("rs");
    let pages: BTreeSet<String> = files.iter().filter(own).filter_map(|file| page(&file.path)).collect();
    files
        .iter()
        .filter(own)
        .flat_map(|file| check_file(file, &pages))
        .collect()
}

/// The first name below the folder of pages.
fn page(path: &Path) -> Option<String> {
    let below = path.strip_prefix(PAGES).ok()?;
    let first = below.components().next()?;
    let name = Path::new(first.as_os_str()).file_stem()?.to_str()?;
    (!SHARED.contains(&name)).then(|| name.to_owned())
}

fn check_file(file: &TextFile, pages: &BTreeSet<String>) -> Vec<Violation> {
    let Some(own) = page(&file.path) else {
        return Vec::new();
    };
    // What is no Rust is another rule's.
    let stream: TokenStream = file.text.parse().unwrap_or_default();
    let mut named = Vec::new();
    paths(stream, &module(&file.path), &mut named);
    let imported = named.into_iter().filter_map(|(path, line)| {
        let below = path.strip_prefix(MODULE.map(str::to_owned).as_slice())?;
        // A page by its name, or all of them at once.
        let other = below.first().map_or("*", String::as_str);
        let is_page = other == "*" || pages.contains(other) && other != "parts" && other != own;
        let text = format!("{own} imports {other} of the pages: what they share belongs to pages/parts");
        is_page.then(|| Violation::new(&file.path, line, text))
    });
    imported.collect()
}

/// The path of a file's module.
fn module(path: &Path) -> Vec<String> {
    let below = path.strip_prefix(PAGES).unwrap_or(path).with_extension("");
    let names = below.components().filter_map(|name| name.as_os_str().to_str());
    let names = names.filter(|name| *name != "mod");
    MODULE.into_iter().chain(names).map(str::to_owned).collect()
}

/// Every path into this crate that a module names, from `crate` on, each with its line.
fn paths(stream: TokenStream, here: &[String], found: &mut Vec<(Vec<String>, usize)>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    for (place, tree) in trees.iter().enumerate() {
        let before = |back: usize| place.checked_sub(back).map(|place| trees[place].to_string());
        match tree {
            // Who may see an item is no import.
            TokenTree::Group(_) if before(1).as_deref() == Some("pub") => {}
            TokenTree::Group(group) if before(2).as_deref() == Some("mod") => {
                paths(group.stream(), &[here, before(1).as_slice()].concat(), found);
            }
            TokenTree::Group(group) => paths(group.stream(), here, found),
            TokenTree::Ident(name) if before(1).as_deref() != Some(":") => {
                let line = name.span().start().line;
                let mut ends = Vec::new();
                follow(&trees[place..], here, &mut ends);
                found.extend(ends.into_iter().map(|end| (end, line)));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Where a path leads that is read from `from` on: to one thing, or to all that stand in its group.
fn follow(trees: &[TokenTree], from: &[String], ends: &mut Vec<Vec<String>>) {
    let [tree, rest @ ..] = trees else { return };
    if let TokenTree::Group(group) = tree {
        let trees: Vec<TokenTree> = group.stream().into_iter().collect();
        for one in trees.split(|tree| tree.to_string() == ",") {
            follow(one, from, ends);
        }
        return;
    }
    let to = match tree.to_string().as_str() {
        "self" => from.to_vec(),
        "super" => from.split_last().map_or_else(Vec::new, |(_, above)| above.to_vec()),
        "crate" => vec!["crate".to_owned()],
        name => [from, &[name.to_owned()]].concat(),
    };
    match rest {
        [first, second, rest @ ..] if [first, second].iter().all(|sign| sign.to_string() == ":") => {
            follow(rest, &to, ends);
        }
        _ => ends.push(to),
    }
}

#[cfg(test)]
mod tests {
    use super::{TextFile, check};

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: format!("{}/{path}", super::PAGES).into(),
            text: text.into(),
        }
    }

    /// The violations of a page `claim` beside the pages `ticket` and `quarantine` and the parts that they share.
    fn lines(path: &str, text: &str) -> Vec<usize> {
        let others = ["ticket/list.rs", "quarantine.rs", "parts/badge.rs", "mod.rs"];
        let mut files: Vec<TextFile> = others.map(|path| file(path, "")).into();
        files.push(file(path, text));
        check(&files).into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_page_that_imports_a_page_is_found_however_it_is_written() {
        for text in [
            "use super::ticket::list::table;",
            "use super::{parts::badge, ticket};",
            "use crate::{pages::{ticket::list, parts::badge}, words};",
            "use crate::pages;",
            "use super::*;",
            "fn f() { g(super::ticket::list::table()) }",
            "mod inner { use super::super::quarantine::row; }",
        ] {
            assert_eq!(lines("claim.rs", text), [1], "{text}");
        }
        assert_eq!(lines("claim/page.rs", "\nuse super::super::ticket::list;"), [2]);
        assert_eq!(
            lines("parts/held.rs", "use super::fact;\nuse crate::pages::ticket;"),
            [2]
        );
    }

    #[test]
    fn a_page_imports_its_own_files_and_the_shared_parts() {
        let text = "use super::who;\nuse super::super::parts::badge;\nuse crate::pages::parts::live::live_note;\n\
            use crate::pages::ticket::story;\nuse crate::words::closed;\nuse jiff::tz;\npub(super) fn ticket() {}\n\
            pub(in crate::pages) fn quarantine() { other::ticket(self.ticket, super::list::table()) }\n\
            #[cfg(test)]\nmod tests { use super::*; }";
        assert_eq!(lines("ticket/page.rs", text), Vec::<usize>::new());
        assert_eq!(
            lines("claim.rs", "pub(super) mod a { use super::*; }"),
            Vec::<usize>::new()
        );
        assert_eq!(
            lines("mod.rs", "use ticket::list; use self::quarantine::page;"),
            Vec::<usize>::new()
        );
        assert_eq!(
            lines("tests.rs", "use super::{ticket, quarantine};"),
            Vec::<usize>::new()
        );
    }
}
