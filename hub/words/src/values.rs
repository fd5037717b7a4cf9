//! The values that a text needs, whichever of its variants is taken.

use fluent_syntax::ast::{Expression, InlineExpression, Pattern, PatternElement};
use std::collections::BTreeSet;

/// The name of another text, a term or a function, to which a text refers.
#[derive(Debug)]
pub(crate) struct NotAValue(pub String);

/// Names of the values in a text.
pub(crate) fn values_of(text: &Pattern<&str>) -> Result<BTreeSet<String>, NotAValue> {
    let mut found = BTreeSet::new();
    pattern(text, &mut found)?;
    Ok(found)
}

fn pattern(text: &Pattern<&str>, found: &mut BTreeSet<String>) -> Result<(), NotAValue> {
    text.elements.iter().try_for_each(|element| match element {
        PatternElement::TextElement { .. } => Ok(()),
        PatternElement::Placeable { expression: inner } => expression(inner, found),
    })
}

fn expression(inner: &Expression<&str>, found: &mut BTreeSet<String>) -> Result<(), NotAValue> {
    match inner {
        Expression::Inline(value) => inline(value, found),
        Expression::Select { selector, variants } => {
            inline(selector, found)?;
            variants.iter().try_for_each(|variant| pattern(&variant.value, found))
        }
    }
}

fn inline(value: &InlineExpression<&str>, found: &mut BTreeSet<String>) -> Result<(), NotAValue> {
    match value {
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => Ok(()),
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.to_owned());
            Ok(())
        }
        InlineExpression::Placeable { expression: inner } => expression(inner, found),
        InlineExpression::FunctionReference { id, .. }
        | InlineExpression::MessageReference { id, .. }
        | InlineExpression::TermReference { id, .. } => Err(NotAValue(id.name.to_owned())),
    }
}
