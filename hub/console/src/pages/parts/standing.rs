//! Where predictions stand on their way to calls that nobody approves.

use super::fact::fact;
use crate::reader::Reader;
use crate::words::closed;
use hub_core::release::{Release, Unreleased};
use maud::{Markup, html};

/// What people made of such predictions, and what that is good for. Approvals are counted apart from verdicts: they say that a call was
/// worth it, not that the fault was there.
pub(in crate::pages) fn standing(reader: &Reader, release: &Release) -> Markup {
    let verdicts = release.verdicts();
    let judged = verdicts.right.saturating_add(verdicts.wrong);
    let counted = [("right", verdicts.right.to_string()), ("judged", judged.to_string())];
    let counted = counted.each_ref().map(|(name, value)| (*name, value.as_str()));
    let needed = release
        .verdicts_needed()
        .map_or(String::new(), |needed| needed.to_string());
    let decided = [
        ("approved", release.tally.approved.to_string()),
        ("refused", release.tally.refused.to_string()),
    ];
    let decided = decided.each_ref().map(|(name, value)| (*name, value.as_str()));
    html! {
        (fact(&reader.t("evidence-kind"), &html! { (closed(reader, "evidence-kind", &release.basis.kind)) }))
        (fact(&reader.t("release"), &html! {
            (reader.with("release-verdicts", &counted)) (reader.t("comma"))
            @match release.withheld() {
                None => (reader.t("release-released")),
                Some(Unreleased::NoNamedFault) => (reader.t("release-no-named-fault")),
                Some(Unreleased::TooFewVerdicts | Unreleased::TooOftenWrong) => {
                    (reader.with("release-needed", &[("needed", &needed)]))
                },
            }
        }))
        (fact(&reader.t("release-decided"), &html! { (reader.with("release-decided-count", &decided)) }))
    }
}
