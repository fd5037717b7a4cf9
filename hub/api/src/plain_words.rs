//! What a library says of a request that cannot be read, without the names of this program's types.

/// Longest text of a refusal, in characters: it may repeat what was sent.
const SAID_MAX: usize = 400;

/// How libraries begin, and what is said instead.
const BEGINNINGS: [(&str, &str); 7] = [
    (
        "Failed to deserialize the JSON body into the target type: ",
        "the body: ",
    ),
    ("Failed to parse the request body as JSON: ", "the body is no JSON: "),
    ("Failed to deserialize query string: ", "the query: "),
    ("Failed to deserialize form body: ", "the form: "),
    ("Failed to deserialize form: ", "the form: "),
    ("Failed to buffer the request body: ", "the body did not come whole: "),
    ("Invalid URL: ", "the address: "),
];

/// The same in plain words.
pub(crate) fn plain_words(said: &str) -> String {
    let beginning = BEGINNINGS
        .iter()
        .find_map(|(from, to)| Some((*to, said.strip_prefix(from)?)));
    let (start, rest) = beginning.unwrap_or(("", said));
    let rest = rest.replace(" to fit in target type", "");
    let mut plain = start.to_owned();
    let mut words = rest.split(' ');
    let mut first = true;
    while let Some(word) = words.next() {
        if !std::mem::replace(&mut first, false) {
            plain.push(' ');
        }
        let (bare, end) = core(word);
        let after_article = plain.ends_with(" a ") || plain.ends_with(" an ");
        let article = if after_article { "" } else { "a " };
        match bare {
            "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => {
                plain.push_str(article);
                plain.push_str("whole number");
                plain.push_str(end);
            }
            "f32" | "f64" => {
                plain.push_str(article);
                plain.push_str("number");
                plain.push_str(end);
            }
            // The name of the type follows.
            "struct" => {
                plain.push_str("an object");
                plain.push_str(words.next().map_or("", |name| core(name).1));
            }
            "variant" => plain.push_str("word"),
            _ => plain.push_str(word),
        }
    }
    plain.chars().take(SAID_MAX).collect()
}

/// A word without the marks around it, and the marks behind it.
fn core(word: &str) -> (&str, &str) {
    let inner = word.trim_start_matches('`');
    let core = inner.trim_end_matches(['`', ',', '.', ':', ';']);
    (core, inner[core.len()..].trim_start_matches('`'))
}

#[cfg(test)]
mod tests {
    use super::plain_words;

    #[test]
    fn no_type_of_this_program_is_named() {
        for (said, plain) in [
            (
                "Failed to deserialize the JSON body into the target type: ids[0]: invalid type: string \"a\", expected i64 at line 1 column 9",
                "the body: ids[0]: invalid type: string \"a\", expected a whole number at line 1 column 9",
            ),
            (
                "Failed to deserialize the JSON body into the target type: invalid type: sequence, expected struct LogIn, really",
                "the body: invalid type: sequence, expected an object, really",
            ),
            (
                "Invalid URL: Cannot parse `x` to a `i64`",
                "the address: Cannot parse `x` to a whole number",
            ),
            (
                "Failed to deserialize query string: limit: invalid digit found in string",
                "the query: limit: invalid digit found in string",
            ),
            (
                "unknown variant `magic`, expected one of `confirmed_fixed`, `other`",
                "unknown word `magic`, expected one of `confirmed_fixed`, `other`",
            ),
            ("expected f64", "expected a number"),
            (
                "limit: number too large to fit in target type",
                "limit: number too large",
            ),
        ] {
            assert_eq!(plain_words(said), plain);
        }
        assert_eq!(plain_words(&"x".repeat(70_000)).len(), 400);
    }
}
