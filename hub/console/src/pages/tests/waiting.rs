//! What an appliance's page says of findings that have no ticket yet.

use super::*;

#[test]
fn a_finding_that_waits_for_its_score_is_told_in_words() {
    let mut finding = sample::booked().finding.unwrap();
    (finding.ticket, finding.ticket_from) = (None, Some(2.5));
    finding.prediction.score = 1.5;
    let page = |language, findings: &[hub_core::finding::Finding]| {
        let page = appliance::waiting::render(&reader(language), "washing-machine", findings).into_string();
        words(&page).replace(['\u{2068}', '\u{2069}'], "")
    };
    let english = page(Language::En, std::slice::from_ref(&finding));
    for piece in ["Seen, without a ticket", "score of 1.50", "from 2.50 on"] {
        assert!(english.contains(piece), "{piece} is not in {english}");
    }
    assert!(page(Language::ZhCn, &[finding]).contains("分值达到 2.50 才开工单"));
    assert_eq!(page(Language::En, &[]).trim(), "");
}
