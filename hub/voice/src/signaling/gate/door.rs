//! Who may pass the gate: trunks' addresses only, each call's messages from its own trunk only, and of every kind of request a
//! number that the SIP library can bear. Pure: addresses, messages and the moment come in, a verdict goes out.

use super::message::{Kind, Message, Refusal, What};
use super::rate::{Meter, Rate};
use crate::signaling::LINGER;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// New calls of all trunks together. Each INVITE that nobody acknowledges stays in the library's tables for 32 s, and they are
/// searched at each of its timers.
const INVITES: Rate = Rate { per_s: 100, burst: 400 };
/// Requests of one call.
const IN_CALL: Rate = Rate { per_s: 20, burst: 60 };
/// Answers and ACKs of one call; a far side that repeats its 200 sends many.
const ANSWERS: Rate = Rate { per_s: 50, burst: 200 };
/// Requests in all calls together that nobody of us holds: refused, or over. Who opens calls to be refused gains nothing by
/// what follows in them.
const OVER_REQUESTS: Rate = Rate { per_s: 50, burst: 50 };
/// Answers and ACKs in the same.
const OVER_ANSWERS: Rate = Rate { per_s: 200, burst: 800 };
/// Requests of one call without a final answer at a time, so that no call takes what the others need.
const IN_CALL_MAX: usize = 8;
/// Refusals that the gate gives to one address.
const REFUSALS: Rate = Rate { per_s: 20, burst: 100 };
/// Refusals that the gate gives to all that are no trunks: an administrator who forgot an address finds it by them.
const STRANGERS: Rate = Rate { per_s: 10, burst: 20 };
/// Calls that are known at a time, with those that have just ended.
const CALLS_MAX: usize = 8_192;
/// So long a call that came in is known after its end: what was sent again and again comes for 64 times T1 (RFC 3261 §17).
/// One that we placed is for as long as something of ours may follow, while there is room: nobody else begins those.
const CALL_KEPT: Duration = Duration::from_secs(40);
/// A permit that nothing released is free after this: longer than any answer takes.
const PERMIT_KEPT: Duration = Duration::from_secs(64);

/// What one kind of requests may take.
struct Bounds {
    /// From one address outside of calls.
    rate: Rate,
    /// Without a final answer at a time, of one address.
    each: usize,
    /// The same of all addresses.
    all: usize,
}

fn bounds(kind: Kind) -> Bounds {
    let of = |per_s, burst, each, all| Bounds {
        rate: Rate { per_s, burst },
        each,
        all,
    };
    match kind {
        Kind::Invite => of(50, 200, 128, 256),
        Kind::Inside | Kind::Cancel => of(100, 200, 128, 256),
        Kind::Options => of(10, 20, 8, 32),
        Kind::Other => of(5, 10, 4, 16),
    }
}

/// Why something did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The address is no trunk's.
    Stranger,
    /// No SIP message.
    Unreadable,
    /// The call is of another trunk.
    ThirdParty,
    /// Nobody knows the call.
    NoCall,
    /// Too fast.
    Rate,
    /// Too much is under way.
    Busy,
    /// The SIP library does not keep up.
    Behind,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 7] = [
        Reason::Stranger,
        Reason::Unreadable,
        Reason::ThirdParty,
        Reason::NoCall,
        Reason::Rate,
        Reason::Busy,
        Reason::Behind,
    ];

    /// In figures.
    pub fn label(self) -> &'static str {
        match self {
            Reason::Stranger => "stranger",
            Reason::Unreadable => "unreadable",
            Reason::ThirdParty => "third_party",
            Reason::NoCall => "no_call",
            Reason::Rate => "rate",
            Reason::Busy => "busy",
            Reason::Behind => "behind",
        }
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The library may have it.
    Pass,
    /// Nobody gets it.
    Drop(Reason),
    /// The gate answers it.
    Refuse(Refusal, Reason),
}

/// What one address of a trunk has sent of late.
#[derive(Default)]
struct Source {
    sent: BTreeMap<Kind, Meter>,
    refused: Meter,
}

impl Source {
    fn takes(&mut self, kind: Kind, now: Instant) -> bool {
        self.sent.entry(kind).or_default().takes(bounds(kind).rate, now)
    }

    /// A refusal, as long as it does not add to a flood.
    fn refuse(&mut self, refusal: Refusal, reason: Reason, now: Instant) -> Verdict {
        if self.refused.takes(REFUSALS, now) {
            Verdict::Refuse(refusal, reason)
        } else {
            Verdict::Drop(reason)
        }
    }
}

/// A call, from its INVITE on.
struct Call {
    /// Its trunk's addresses.
    from: Arc<[IpAddr]>,
    /// How many of us hold it: it lives as long as one does.
    holders: usize,
    /// We placed it.
    is_ours: bool,
    /// When it was begun, refused or released.
    last: Instant,
    /// The INVITE that began it; none in a call of ours.
    invite: Option<u64>,
    requests: Meter,
    answers: Meter,
}

impl Call {
    fn new(from: Arc<[IpAddr]>, now: Instant) -> Self {
        Self {
            from,
            holders: 0,
            is_ours: false,
            last: now,
            invite: None,
            requests: Meter::default(),
            answers: Meter::default(),
        }
    }

    /// Whether it is up, or has ended of late: one of ours within `ours`.
    fn is_known(&self, ours: Duration, now: Instant) -> bool {
        let kept = if self.is_ours { ours } else { CALL_KEPT };
        self.holders > 0 || now.duration_since(self.last) < kept
    }
}

/// A call's id with number and method: the same for a request that is sent again.
type Key = (String, String);

/// A request that has no final answer yet.
struct Permit {
    source: IpAddr,
    since: Instant,
}

type Permits = BTreeMap<Kind, HashMap<Key, Permit>>;

/// What is known of trunks and calls.
pub(super) struct Door {
    trunks: Vec<Vec<IpAddr>>,
    /// One for each address of a trunk, so it is bounded.
    sources: BTreeMap<IpAddr, Source>,
    calls: HashMap<String, Call>,
    permits: Permits,
    invites: Meter,
    over_requests: Meter,
    over_answers: Meter,
    strangers: Meter,
}

impl Door {
    /// For trunks, each with all its addresses.
    pub fn new(trunks: Vec<Vec<IpAddr>>) -> Self {
        let mut door = Self {
            trunks: Vec::new(),
            sources: BTreeMap::new(),
            calls: HashMap::new(),
            permits: Kind::ALL.map(|kind| (kind, HashMap::new())).into(),
            invites: Meter::default(),
            over_requests: Meter::default(),
            over_answers: Meter::default(),
            strangers: Meter::default(),
        };
        door.set_trunks(trunks);
        door
    }

    /// From now on the trunks stand there. Calls that are up keep the addresses that they began with.
    pub fn set_trunks(&mut self, trunks: Vec<Vec<IpAddr>>) {
        if trunks == self.trunks {
            return;
        }
        let held = self.calls.values().filter(|call| call.holders > 0);
        let kept: BTreeSet<IpAddr> = held.flat_map(|call| call.from.iter()).copied().collect();
        let all = || trunks.iter().flatten().chain(&kept);
        for address in all() {
            self.sources.entry(*address).or_default();
        }
        let stand: BTreeSet<IpAddr> = all().copied().collect();
        self.sources.retain(|address, _| stand.contains(address));
        self.trunks = trunks;
    }

    /// Whether an address is a trunk's.
    pub fn knows(&self, source: IpAddr) -> bool {
        self.sources.contains_key(&source)
    }

    /// Whether a stranger is told now that nobody takes calls from there.
    pub fn tells_strangers(&mut self, now: Instant) -> bool {
        self.strangers.takes(STRANGERS, now)
    }

    /// Whether a trunk's sign of life is answered (RFC 5626 §3.5.1).
    pub fn keeps_alive(&mut self, source: IpAddr, now: Instant) -> bool {
        let from = self.sources.get_mut(&source);
        from.is_some_and(|from| from.takes(Kind::Other, now))
    }

    /// What becomes of a message from `source`.
    pub fn incoming(&mut self, source: IpAddr, message: &Message<'_>, now: Instant) -> Verdict {
        let is_full = self.calls.len() >= CALLS_MAX;
        let Some(from) = self.sources.get_mut(&source) else {
            return Verdict::Drop(Reason::Stranger);
        };
        let call = self.calls.get_mut(&message.call_id);
        let is_foreign = call.as_ref().is_some_and(|call| !call.from.contains(&source));
        let kind = match (message.what, call) {
            (What::Ack | What::Response(_), _) if is_foreign => return Verdict::Drop(Reason::ThirdParty),
            (What::Ack | What::Response(_), None) => return Verdict::Drop(Reason::NoCall),
            (What::Ack | What::Response(_), Some(call)) => {
                let is_held = call.holders > 0;
                let passes =
                    call.answers.takes(ANSWERS, now) && (is_held || self.over_answers.takes(OVER_ANSWERS, now));
                return if passes {
                    Verdict::Pass
                } else {
                    Verdict::Drop(Reason::Rate)
                };
            }
            (What::Request(_), _) if is_foreign => return from.refuse(Refusal::NoCall, Reason::ThirdParty, now),
            (What::Request(Kind::Inside | Kind::Cancel), None) => {
                return from.refuse(Refusal::NoCall, Reason::NoCall, now);
            }
            // What belongs to a call takes of its call's allowance, not of the address's: nobody can use up both. An INVITE
            // outside of dialogs does only where it is the one that began the call, sent again: the library takes every other
            // one for a new call, whatever its Call-ID.
            (What::Request(kind @ (Kind::Inside | Kind::Cancel | Kind::Invite)), Some(call))
                if kind != Kind::Invite || call.invite == Some(message.transaction) =>
            {
                let is_held = call.holders > 0;
                let passes =
                    call.requests.takes(IN_CALL, now) && (is_held || self.over_requests.takes(OVER_REQUESTS, now));
                if !passes {
                    return from.refuse(Refusal::Busy, Reason::Rate, now);
                }
                kind
            }
            (What::Request(Kind::Invite), None) if is_full => return from.refuse(Refusal::Busy, Reason::Busy, now),
            (What::Request(kind), _) => {
                // The address first: what is beyond its own rate takes nothing from the other trunks.
                if !from.takes(kind, now) || (kind == Kind::Invite && !self.invites.takes(INVITES, now)) {
                    return from.refuse(Refusal::Busy, Reason::Rate, now);
                }
                kind
            }
        };
        let key = (message.call_id.clone(), message.cseq.clone());
        if !takes_permit(&mut self.permits, kind, key, source, now) {
            return from.refuse(Refusal::Busy, Reason::Busy, now);
        }
        if kind == Kind::Invite {
            let call = self.call(&message.call_id, source, now);
            (call.last, call.invite) = (now, Some(message.transaction));
        }
        Verdict::Pass
    }

    /// A message that leaves: a final answer gives its request's permit back.
    pub fn outgoing(&mut self, message: &Message<'_>, now: Instant) {
        if !matches!(message.what, What::Response(200..)) {
            return;
        }
        let key = (message.call_id.clone(), message.cseq.clone());
        for permits in self.permits.values_mut() {
            permits.remove(&key);
        }
        if let Some(call) = self.calls.get_mut(&message.call_id) {
            call.last = now;
        }
    }

    /// A call that we place to `address`, or that came from there, is held: its trunk's messages pass until it is released. Where
    /// we ring is a trunk by that. Gives all addresses of its trunk.
    pub fn hold(&mut self, call_id: &str, address: IpAddr, now: Instant) -> Arc<[IpAddr]> {
        self.sources.entry(address).or_default();
        let call = self.call(call_id, address, now);
        call.holders += 1;
        // Also where a carrier sends it back to us later.
        call.is_ours |= call.invite.is_none();
        Arc::clone(&call.from)
    }

    /// One holder less; the last one's leaves the call known for a while.
    pub fn let_go(&mut self, call_id: &str, now: Instant) {
        if let Some(call) = self.calls.get_mut(call_id) {
            call.holders = call.holders.saturating_sub(1);
            call.last = now;
        }
    }

    /// Forgets what is over. To be called about once a second.
    pub fn sweep(&mut self, now: Instant) {
        // A carrier that refuses all calls of ours at once makes many of them: they must leave room for those that come in.
        let is_crowded = self.calls.len() > CALLS_MAX / 2;
        let ours = if is_crowded { CALL_KEPT } else { LINGER };
        self.calls.retain(|_, call| call.is_known(ours, now));
        for permits in self.permits.values_mut() {
            permits.retain(|_, permit| now.duration_since(permit.since) < PERMIT_KEPT);
        }
    }

    /// A call that is known, or made known as one of the trunk at `address`.
    fn call(&mut self, call_id: &str, address: IpAddr, now: Instant) -> &mut Call {
        let trunks = &self.trunks;
        self.calls
            .entry(call_id.to_owned())
            .or_insert_with(|| Call::new(trunk_at(trunks, address), now))
    }
}

/// All addresses of the trunks that have this one; several trunks may stand at one carrier.
fn trunk_at(trunks: &[Vec<IpAddr>], address: IpAddr) -> Arc<[IpAddr]> {
    let at = trunks.iter().filter(|trunk| trunk.contains(&address));
    at.flatten().copied().chain([address]).collect()
}

/// Whether a request may be worked on beside the others of its kind. One that is sent again has its permit.
fn takes_permit(permits: &mut Permits, kind: Kind, key: Key, source: IpAddr, now: Instant) -> bool {
    let permits = permits.entry(kind).or_default();
    let Bounds { each, all, .. } = bounds(kind);
    let of_source = || permits.values().filter(|permit| permit.source == source).count();
    let of_call = || permits.keys().filter(|(call_id, _)| *call_id == key.0).count();
    if permits.contains_key(&key) {
        return true;
    }
    if permits.len() >= all || of_source() >= each || (kind == Kind::Inside && of_call() >= IN_CALL_MAX) {
        return false;
    }
    permits.insert(key, Permit { source, since: now });
    true
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;
