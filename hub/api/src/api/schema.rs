//! Closed lists of words, for the document: all variants of a type, each written as the API writes it.

use serde::Serialize;
use strum::VariantArray;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The words of a type of the rules.
pub(crate) fn words<T: Serialize + VariantArray>() -> Object {
    let words = T::VARIANTS
        .iter()
        .map(|word| serde_json::to_value(word).expect("a unit variant is a string"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

#[cfg(test)]
mod tests {
    use hub_core::contact::ContactPhase;

    #[test]
    fn the_words_are_those_of_the_rules() {
        let json = serde_json::to_string(&super::words::<ContactPhase>()).unwrap();
        assert_eq!(json, r#"{"type":"string","enum":["planned","in_call","held","done"]}"#);
    }
}
