//! How calls leave and come in: a tenant's SIP trunk, as it is declared.

use super::SiteError;
use crate::host::{Host, HostPort};
use crate::id::TenantId;
use crate::number_plan::NumberPlan;
use crate::phone_number::PhoneNumber;
use serde::Deserialize;
use std::fmt;

/// Hosts of one trunk, beyond its proxy.
pub const TRUNK_ADDRESSES_MAX: usize = 32;

/// Most calls of a trunk that are kept free for those that come in.
const INBOUND_CHANNELS_MAX: u16 = 10_000;

/// A SIP trunk.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct Trunk<N = PhoneNumber> {
    /// The carrier's proxy, by name or by address, with its port. A name is resolved at the start and again each minute.
    pub proxy: HostPort,
    /// SIP domain in request and caller URIs.
    pub domain: String,
    /// For digest authentication.
    pub username: Option<String>,
    /// For digest authentication; stored encrypted.
    pub password: Option<String>,
    /// The main number: shown to owners, and answered when they ring back.
    pub caller_number: N,
    /// Whether an owner who rings back is known by `From` where the carrier puts no `P-Asserted-Identity` (or screened
    /// `Remote-Party-ID`) into its calls, or one that is no global number. Only where the carrier checks `From`: anybody can
    /// write any number there.
    #[serde(default)]
    pub believe_from: bool,
    /// Further hosts that the carrier sends from, by name or by address, at most [`TRUNK_ADDRESSES_MAX`]: most have several
    /// edges. Names are resolved as the proxy's is. Whatever comes from elsewhere is dropped.
    #[serde(default)]
    pub addresses: Vec<Host>,
    /// Calls that the hub's own calls leave room for, of as many as may be up at a time: owners ring back while many are rung.
    /// 0 keeps nothing free. Without it a quarter, at least one; the last channel of all is the hub's own in any case.
    #[serde(default)]
    pub inbound_channels: Option<u16>,
    /// How numbers are written on the trunk, and by the tenant's people. Without it numbers are known with `+` and country code alone,
    /// and are written so.
    pub number_plan: Option<NumberPlan>,
    /// How long a call without any answer of the carrier is waited for, in seconds: 1 to 60.
    #[serde(default = "post_dial_limit_s")]
    pub post_dial_limit_s: u8,
    /// How long a call that the carrier has taken (100) may go without ringing from then on, in seconds: 1 to 120. Mobile
    /// phones are searched for, and calls abroad take their time.
    #[serde(default = "trying_limit_s")]
    pub trying_limit_s: u8,
}

fn post_dial_limit_s() -> u8 {
    6
}

fn trying_limit_s() -> u8 {
    20
}

impl Trunk {
    /// Checks what serde cannot: limits, and the number of addresses.
    pub(super) fn check(&self, tenant: &TenantId) -> Result<(), SiteError> {
        if self
            .inbound_channels
            .is_some_and(|channels| channels > INBOUND_CHANNELS_MAX)
        {
            return Err(SiteError::Trunk {
                tenant: tenant.clone(),
                field: "inbound_channels",
                wanted: "at most 10,000",
            });
        }
        let limits = [
            ("post_dial_limit_s", self.post_dial_limit_s, 60, "between 1 and 60"),
            ("trying_limit_s", self.trying_limit_s, 120, "between 1 and 120"),
        ];
        for (field, value, most, wanted) in limits {
            if !(1..=most).contains(&value) {
                return Err(SiteError::Trunk {
                    tenant: tenant.clone(),
                    field,
                    wanted,
                });
            }
        }
        if self.addresses.len() > TRUNK_ADDRESSES_MAX {
            return Err(SiteError::TrunkAddresses { tenant: tenant.clone() });
        }
        self.check_plan(tenant)
    }
}

impl<N> Trunk<N> {
    /// Checks the number plan, also before numbers are read by it: none of them is blamed for a wrong plan.
    pub(super) fn check_plan(&self, tenant: &TenantId) -> Result<(), SiteError> {
        let checked = self.number_plan.as_ref().map_or(Ok(()), NumberPlan::check);
        checked.map_err(|(field, wanted)| SiteError::Trunk {
            tenant: tenant.clone(),
            field,
            wanted,
        })
    }
}

impl<N> fmt::Debug for Trunk<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk")
            .field("proxy", &self.proxy)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trunk(address: &str) -> Result<Trunk, String> {
        let trunk = json!({"proxy": "192.0.2.1:5060", "domain": "trunk.example", "caller_number": "+862155500100",
            "addresses": ["192.0.2.7", address]});
        serde_json::from_value(trunk).map_err(|error| error.to_string())
    }

    #[test]
    fn a_carrier_sends_from_addresses_and_names() {
        for address in ["192.0.2.8", "2001:db8::7", "Edge.Carrier.example", "localhost"] {
            let read = trunk(address).unwrap();
            assert_eq!(read.addresses.len(), 2);
            assert_eq!(read.addresses[1], address.parse::<Host>().unwrap());
        }
    }

    #[test]
    fn what_is_no_host_is_refused_in_words() {
        for wrong in [
            "",
            "edge.carrier.example:5060",
            "sip:edge.carrier.example",
            "192.0.2.300",
            "192.0.2.0/24",
            "-edge.example",
            "edge carrier",
        ] {
            let error = trunk(wrong).unwrap_err();
            assert!(error.contains(&format!("{wrong:?} is no host, such as")), "{error}");
        }
    }
}
