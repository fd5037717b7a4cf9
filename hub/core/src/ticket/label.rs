//! The labels by which a tenant's people say where a ticket stands: data, declared in the site file.

use super::TicketCategory;
use crate::language::Localised;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use strum::VariantArray;

/// Labels of one tenant, at most.
pub const LABELS_MAX: usize = 50;
/// Longest id of a label, in bytes.
pub const LABEL_LEN_MAX: usize = 32;

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketLabel {
    /// Id within the tenant: 1 to 32 lower-case letters, digits, `-` and `_`.
    pub id: String,
    /// Category that it belongs to.
    pub category: TicketCategory,
    /// Name that people see.
    pub name: Localised,
}

/// Labels that a tenant declared, in the order in which people are offered them. Where it declared none, there is one of each
/// category.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketLabels(Vec<TicketLabel>);

/// Labels of a tenant that declares none.
static BUILT_IN: LazyLock<Vec<TicketLabel>> = LazyLock::new(|| {
    let label = |id: &str, category, zh_cn: &str, en: &str| TicketLabel {
        id: id.to_owned(),
        category,
        name: Localised {
            zh_cn: zh_cn.to_owned(),
            en: en.to_owned(),
        },
    };
    vec![
        label("open", TicketCategory::Open, "待处理", "To do"),
        label("waiting", TicketCategory::Paused, "等待中", "Waiting"),
        label("closed", TicketCategory::Resolved, "已结案", "Closed"),
    ]
});

impl TicketLabels {
    /// All labels that a ticket may have.
    pub fn all(&self) -> &[TicketLabel] {
        if self.0.is_empty() { &BUILT_IN } else { &self.0 }
    }

    /// The label of that id.
    pub fn get(&self, id: &str) -> Option<&TicketLabel> {
        self.all().iter().find(|label| label.id == id)
    }

    /// Id of the first label of a category. A list that [`TicketLabels::check`] lets through has one.
    pub fn first(&self, category: TicketCategory) -> &str {
        let of = |labels: &'_ [TicketLabel]| labels.iter().position(|label| label.category == category);
        match of(self.all()) {
            Some(at) => &self.all()[at].id,
            None => category.name(),
        }
    }

    /// The name of a label. One that is not declared any more goes by its id.
    pub fn name(&self, id: &str) -> Localised {
        let undeclared = || Localised {
            zh_cn: id.to_owned(),
            en: id.to_owned(),
        };
        self.get(id).map_or_else(undeclared, |label| label.name.clone())
    }

    /// Checks what was declared: how many, ids that can stand in an address, names, and a label of each category. That no id
    /// stands twice is the caller's to check.
    ///
    /// # Errors
    ///
    /// What is wanted instead.
    pub fn check(&self) -> Result<(), &'static str> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let has_id = |label: &TicketLabel| (1..=LABEL_LEN_MAX).contains(&label.id.len()) && label.id.bytes().all(plain);
        let has_name = |label: &TicketLabel| !label.name.zh_cn.trim().is_empty() && !label.name.en.trim().is_empty();
        let has_one = |category: &TicketCategory| self.all().iter().any(|label| label.category == *category);
        match self.all() {
            labels if labels.len() > LABELS_MAX => Err("at most 50 labels"),
            labels if !labels.iter().all(has_id) => Err("ids of 1 to 32 lower-case letters, digits, - and _"),
            labels if !labels.iter().all(has_name) => Err("names in zh-CN and en"),
            _ if !TicketCategory::VARIANTS.iter().all(has_one) => {
                Err("a label of each category: open, paused, resolved")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn label(id: &str, category: TicketCategory) -> TicketLabel {
        let name = Localised {
            zh_cn: "名".into(),
            en: id.to_uppercase(),
        };
        TicketLabel {
            id: id.into(),
            category,
            name,
        }
    }

    /// As a tenant with habits of its own declares them.
    pub(crate) fn declared() -> TicketLabels {
        use TicketCategory as C;
        TicketLabels(vec![
            label("new", C::Open),
            label("second-line", C::Open),
            label("visit", C::Paused),
            label("parts", C::Paused),
            label("done", C::Resolved),
        ])
    }

    #[test]
    fn without_a_declaration_there_is_one_label_of_each_category() {
        let none = TicketLabels::default();
        assert_eq!((none.check(), none.all().len()), (Ok(()), 3));
        let of = TicketCategory::VARIANTS;
        assert_eq!(
            of.iter().map(|category| none.first(*category)).collect::<Vec<_>>(),
            ["open", "waiting", "closed"]
        );
        assert_eq!(none.name("gone").en, "gone", "one that is not declared any more");
    }

    #[test]
    fn what_cannot_be_a_list_of_labels_is_refused() {
        assert_eq!(declared().check(), Ok(()));
        let with = |change: fn(&mut Vec<TicketLabel>)| {
            let mut labels = declared();
            change(&mut labels.0);
            labels.check().unwrap_err()
        };
        assert!(with(|all| drop(all.pop())).contains("each category"));
        assert!(with(|all| all[0].id = "Neu!".into()).contains("ids of"));
        assert!(with(|all| all[0].name.en = " ".into()).contains("names"));
        let many = with(|all| all.extend((0..LABELS_MAX).map(|n| label(&n.to_string(), TicketCategory::Open))));
        assert!(many.contains("at most"));
    }
}
