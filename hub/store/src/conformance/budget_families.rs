//! Of which model families a tenant has scores, ledgers and appliances, and of how many it may state budgets.

use super::Harness;
use super::budget::{FAMILY, lena, month};
use super::scene::{appliance, morning, played, tenant};
use crate::budget::{FAMILIES_MAX, MonthScore};
use crate::error::StoreError;
use crate::prediction::ScoringCommit;
use hub_core::budget::Budgets;

pub(super) async fn families_are_those_of_the_tenants_own_scores_and_appliances(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (acme, beta) = (tenant("acme"), tenant("beta"));
    let score = |appliance, family: &str| MonthScore {
        appliance,
        family: family.to_owned(),
        month: month(),
        score: 0.5,
    };
    let commit = ScoringCommit {
        scores: vec![
            score(appliance(&*store, "acme", "wm-1").await, FAMILY),
            score(appliance(&*store, "acme", "wm-2").await, FAMILY),
            score(appliance(&*store, "beta", "wm-1").await, "of-beta"),
        ],
        ..ScoringCommit::default()
    };
    store.commit_scoring(&commit, morning()).await.unwrap();
    let pairs = [(acme.clone(), FAMILY.to_owned()), (beta.clone(), "of-beta".to_owned())];
    assert_eq!(store.families_scored().await.unwrap(), pairs, "no pair beyond");
    assert!(store.families_kept().await.unwrap().is_empty());
    assert!(store.scores_of(&beta, FAMILY, month()).await.unwrap().is_empty());
    let (by, default) = (lena(), Budgets::default());
    let stated = store.state_budget(&by, &acme, "tumble-dryer", default, 0.01, morning());
    stated.await.unwrap();
    let kept = [(acme.clone(), "tumble-dryer".to_owned())];
    assert_eq!(store.families_kept().await.unwrap(), kept);
    // Of names that are served those that its appliances have.
    let names = [FAMILY, "of-beta", "nobody's"].map(str::to_owned);
    let used = store.families_used(&lena(), &acme, &names).await.unwrap();
    assert_eq!(used, [FAMILY]);
    assert!(store.release_tallies(&lena(), &acme).await.unwrap().is_empty());
    let one = store.budget(&lena(), &acme, "tumble-dryer").await.unwrap().unwrap();
    assert_eq!((one.family.as_str(), one.lines.len()), ("tumble-dryer", 1));
    assert_eq!(store.budget(&lena(), &acme, FAMILY).await.unwrap(), None);
}

pub(super) async fn budgets_are_stated_of_so_many_families_and_no_more(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    let stated = async |family: String| {
        store
            .state_budget(&lena(), &acme, &family, Budgets::default(), 0.01, morning())
            .await
    };
    for number in 0..FAMILIES_MAX {
        stated(format!("family-{number}")).await.unwrap();
    }
    let refused = stated("one-more".to_owned()).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.contains("100")),
        "{refused:?}"
    );
    assert_eq!(store.budget(&lena(), &acme, "one-more").await.unwrap(), None);
    stated("family-7".to_owned()).await.unwrap();
}
