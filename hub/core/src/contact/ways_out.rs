//! The ways out of a hub: its own house, and the trunk of each tenant. A call needs both; what became of it says something of one
//! or of both. Kept in memory: after a start the first call tries each way, so that nothing an owner could miss is forgotten.

use super::breaker::{Breaker, Failure, Pause};
use crate::call_result::{CallResult, Fault};
use crate::id::TenantId;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The ways out.
#[derive(Debug, Clone, Default)]
pub struct WaysOut {
    house: Breaker,
    trunks: BTreeMap<TenantId, Breaker>,
}

/// A way that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedWay {
    /// Tenant whose trunk it is; none for the hub's own house, by which nobody is rung.
    pub trunk_of: Option<TenantId>,
    /// Its pause.
    pub pause: Pause,
}

/// Tenants for which no call goes out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// All of them.
    Everybody,
    /// These.
    Only(Vec<TenantId>),
}

impl WaysOut {
    /// Tenants for which no call goes out now: none of their tickets is to be taken up.
    pub fn closed(&self, now: Timestamp) -> Closed {
        if !self.house.is_ready(now) {
            return Closed::Everybody;
        }
        let closed = self.trunks.iter().filter(|(_, trunk)| !trunk.is_ready(now));
        Closed::Only(closed.map(|(tenant, _)| tenant.clone()).collect())
    }

    /// Takes a call's place on both ways; false if it may not go out now.
    pub fn take(&mut self, tenant: &TenantId, now: Timestamp) -> bool {
        let trunk = self.trunks.entry(tenant.clone()).or_default();
        let may_go = self.house.is_ready(now) && trunk.is_ready(now);
        if may_go {
            self.house.take(now);
            trunk.take(now);
        }
        may_go
    }

    /// The call does not go out: its ticket is not to be rung now.
    pub fn give_back(&mut self, tenant: &TenantId, now: Timestamp) {
        self.house.give_back(now);
        if let Some(trunk) = self.trunks.get_mut(tenant) {
            trunk.give_back(now);
        }
    }

    /// Everything in the house was ready for the call: it is being dialled.
    pub fn dialled(&mut self, now: Timestamp) {
        self.house.works(now);
    }

    /// The trunk has brought the call to a telephone, or to an exchange that speaks for it.
    pub fn rang(&mut self, tenant: &TenantId, now: Timestamp) {
        self.house.works(now);
        self.trunk(tenant).works(now);
    }

    /// The call is over, and nothing had rung. `spread` is from 0 to 1 ([`Breaker::failed`]).
    pub fn ended_unrung(
        &mut self,
        tenant: &TenantId,
        result: CallResult,
        failure: Failure,
        now: Timestamp,
        spread: f64,
    ) {
        match result.fault() {
            Some(Fault::Trunk) => {
                self.house.works(now);
                self.trunk(tenant).failed(failure, now, spread);
            }
            Some(Fault::House) => {
                self.trunk(tenant).give_back(now);
                self.house.failed(failure, now, spread);
            }
            None if result == CallResult::Unknown => self.give_back(tenant, now),
            None => self.rang(tenant, now),
        }
    }

    /// This tenant's trunk is another one now: what was known of it says nothing any more.
    pub fn forget(&mut self, tenant: &TenantId) {
        self.trunks.remove(tenant);
    }

    /// What to tell of ways that do not work, the house first.
    pub fn paused(&self) -> Vec<PausedWay> {
        let house = self.house.pause().map(|pause| PausedWay { trunk_of: None, pause });
        let trunks = self.trunks.iter().filter_map(|(tenant, trunk)| {
            Some(PausedWay {
                trunk_of: Some(tenant.clone()),
                pause: trunk.pause()?,
            })
        });
        house.into_iter().chain(trunks).collect()
    }

    /// Tenants over whose trunk a call has gone out, or was to.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.trunks.keys()
    }

    fn trunk(&mut self, tenant: &TenantId) -> &mut Breaker {
        self.trunks.entry(tenant.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    fn failure() -> Failure {
        Failure {
            why: "because".to_owned(),
            retry_after_s: None,
        }
    }

    /// Both ways have worked before.
    fn working() -> WaysOut {
        let mut ways = WaysOut::default();
        ways.rang(&tenant("acme"), at(0));
        ways.rang(&tenant("beta"), at(0));
        ways
    }

    /// Who is rung after a call of acme ended so without a ring.
    #[test]
    fn only_what_failed_is_paused() {
        for result in CallResult::VARIANTS {
            let mut ways = working();
            assert!(ways.take(&tenant("acme"), at(1)));
            ways.ended_unrung(&tenant("acme"), *result, failure(), at(1), 0.0);
            let expected = match result.fault() {
                Some(Fault::Trunk) => Closed::Only(vec![tenant("acme")]),
                Some(Fault::House) => Closed::Everybody,
                None => Closed::Only(vec![]),
            };
            assert_eq!(ways.closed(at(1)), expected, "{result:?}");
            let told: Vec<_> = ways.paused().into_iter().map(|way| way.trunk_of).collect();
            let of_whom = match result.fault() {
                Some(Fault::Trunk) => vec![Some(tenant("acme"))],
                Some(Fault::House) => vec![None],
                None => vec![],
            };
            assert_eq!(told, of_whom, "{result:?}");
        }
    }

    #[test]
    fn a_trunk_that_is_replaced_is_not_paused_by_the_one_before() {
        let mut ways = working();
        let asked = Failure {
            retry_after_s: Some(1_800),
            ..failure()
        };
        for name in ["acme", "beta"] {
            ways.ended_unrung(&tenant(name), CallResult::NetworkFailure, asked.clone(), at(1), 0.0);
        }
        ways.forget(&tenant("acme"));
        assert_eq!(ways.closed(at(2)), Closed::Only(vec![tenant("beta")]));
        assert!(ways.take(&tenant("acme"), at(2)));
        assert_eq!(ways.paused().len(), 1);
    }

    #[test]
    fn the_first_call_after_a_start_tries_and_others_wait_for_its_ring() {
        let mut ways = WaysOut::default();
        assert_eq!(ways.closed(at(0)), Closed::Only(vec![]));
        assert!(ways.take(&tenant("acme"), at(0)));
        assert!(!ways.take(&tenant("beta"), at(0)), "the house is not known to work");
        ways.dialled(at(1));
        assert!(!ways.take(&tenant("acme"), at(1)), "nor is the trunk");
        assert!(ways.take(&tenant("beta"), at(1)));
        ways.rang(&tenant("acme"), at(2));
        assert!(ways.take(&tenant("acme"), at(2)) && ways.take(&tenant("acme"), at(2)));
        assert_eq!(ways.closed(at(2)), Closed::Only(vec![tenant("beta")]));
        ways.give_back(&tenant("beta"), at(3));
        assert!(ways.take(&tenant("beta"), at(3)), "its ticket was not to be rung");
        assert!(ways.paused().is_empty());
    }

    #[test]
    fn a_trunk_that_is_tried_learns_nothing_from_a_fault_in_the_house() {
        let mut ways = working();
        ways.ended_unrung(&tenant("acme"), CallResult::NetworkFailure, failure(), at(0), 0.0);
        assert!(ways.take(&tenant("acme"), at(10)));
        ways.ended_unrung(&tenant("acme"), CallResult::NotPlaced, failure(), at(11), 0.0);
        assert_eq!(ways.paused().len(), 2);
        assert!(!ways.take(&tenant("beta"), at(12)));
        assert!(ways.take(&tenant("acme"), at(21)));
        ways.rang(&tenant("acme"), at(22));
        assert!(ways.paused().is_empty());
    }
}
