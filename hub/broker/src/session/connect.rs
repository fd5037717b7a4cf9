//! From CONNECT to CONNACK (MQTT 5 §3.1, §3.2).

use super::close::CloseReason;
use super::inbound::UNRELEASED_MAX;
use super::login::{LoginError, credential};
use super::open::{Open, Then};
use super::packet::{Connect, Granted, Incoming, Outgoing, Version};
use super::publish::is_bridge_state;
use super::reason::Reason;
use super::role::{self, Integrator, Role};
use super::{Access, Event, Phase, Session, TOPIC_ALIASES_MAX, Verdict};
use hub_store::session::KeptSession;
use std::time::{Duration, Instant};

/// A client that takes no longer packets than this could not be sent a CONNACK or a reason.
pub const CLIENT_BYTES_MIN: u32 = 128;

impl Session {
    pub(super) fn greeting(&mut self, packet: Incoming, now: Instant) {
        let Incoming::Connect(mut connect) = packet else {
            return self.handle_close(CloseReason::NotConnect);
        };
        let Phase::Greeting { certificate, .. } = &mut self.phase else {
            return;
        };
        if let Err(reason) = acceptable(&connect) {
            return self.refuse(reason.reason(), reason);
        }
        let certificate = certificate.take().map(|certificate| *certificate);
        match credential(certificate, connect.login.take()) {
            Ok(credential) => {
                self.phase = Phase::Login {
                    until: now + self.limits.login_patience,
                    connect,
                };
                self.events.push_back(Event::Authenticate(credential));
            }
            Err(error @ LoginError::Certificate) => self.refuse(Reason::NotAuthorised, CloseReason::BadLogin(error)),
            Err(error) => self.refuse(Reason::BadLogin, CloseReason::BadLogin(error)),
        }
    }

    /// The store answered.
    pub fn handle_verdict(&mut self, verdict: Verdict, now: Instant) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let Phase::Login { connect, .. } = phase else {
            self.phase = phase;
            return;
        };
        match verdict {
            Verdict::Accepted(access) => self.accept(access, *connect, now),
            Verdict::Refused => self.refuse(Reason::NotAuthorised, CloseReason::Refused),
            Verdict::Unavailable => self.refuse(Reason::Unavailable, CloseReason::StoreDown),
            Verdict::Quota(limit) => self.refuse(Reason::Quota, CloseReason::Quota(limit)),
            Verdict::ConnectRate => self.refuse(Reason::ConnectionRate, CloseReason::Quota("connects")),
        }
    }

    fn accept(&mut self, access: Access, mut connect: Connect, now: Instant) {
        connect.will = connect.will.filter(|will| !is_bridge_state(&will.publish.message));
        let expiry_s = match &access {
            Access::Device { .. } => self.expiry(&connect),
            Access::Integrator { .. } | Access::Claimant => 0,
        };
        let (mut role, kept) = role(access);
        if let Some(will) = &connect.will
            && let Err(reason) = role.publish(&will.publish.message)
        {
            let reason = as_will(reason);
            return self.refuse(reason.reason(), reason);
        }
        // A clean start ends what was (MQTT 5 §3.1.2.4), and so does a client that never releases what it sends.
        let was_kept = kept.is_some();
        let kept = kept.filter(|kept| !connect.clean_start && kept.unreleased.len() <= UNRELEASED_MAX);
        if let (Role::Device { id, granted }, Some(kept)) = (&mut role, &kept) {
            *granted = role::Granted::restore(id, &kept.subscriptions);
            self.inbound.restore(&kept.unreleased);
        }
        let connack = self.connack(&connect, expiry_s, kept.is_some());
        let patience = self.patience(&connect);
        let open = Open {
            version: connect.version,
            role,
            will: connect.will.map(Box::new),
            patience,
            last_heard: now,
            problem_information: connect.properties.problem_information,
            receive_maximum: connect.properties.receive_maximum,
            packet_bytes_max: connect.properties.packet_bytes_max,
            expiry_s,
            present: kept.is_some(),
            aliases: None,
            window: None,
            pending: None,
        };
        let changes = changes(&open, was_kept, kept.as_ref());
        self.phase = Phase::Open(Box::new(open));
        self.ask_then(changes, Then::Open(connack), now);
    }

    pub(super) fn refuse(&mut self, code: Reason, reason: CloseReason) {
        self.transmit.push_back(Outgoing::refusal(code));
        self.phase = Phase::Closed;
        self.events.push_back(Event::Closed(reason));
    }

    /// For how long the session is kept: as asked up to the bound; 3.1.1 cannot ask (§3.1.2.4).
    fn expiry(&self, connect: &Connect) -> u32 {
        let max = self.limits.session_expiry_max_s;
        match connect.version {
            Version::V4 if connect.clean_start => 0,
            Version::V4 => max,
            Version::V5 => connect.properties.session_expiry_s.unwrap_or(0).min(max),
        }
    }

    /// The longest silence: one and a half times the keepalive (MQTT 5 §3.1.2.10). One that is longer than the bound, or
    /// none, is replaced where the client can be told; in 3.1.1 none is the bound, and any other is kept to.
    fn patience(&self, connect: &Connect) -> Duration {
        let seconds = match (connect.version, connect.keep_alive_s) {
            (Version::V4, 0) => return self.limits.keep_alive_cap,
            (Version::V4, seconds) => seconds,
            (Version::V5, seconds) => self.server_keep_alive(seconds).unwrap_or(seconds),
        };
        Duration::from_millis(u64::from(seconds) * 1_500)
    }

    /// MQTT 5 §3.2.2.3.14.
    fn server_keep_alive(&self, asked_s: u16) -> Option<u16> {
        let cap = u16::try_from(self.limits.keep_alive_cap.as_secs())
            .unwrap_or(u16::MAX)
            .max(1);
        (asked_s == 0 || asked_s > cap).then_some(cap)
    }

    fn connack(&self, connect: &Connect, expiry_s: u32, present: bool) -> Outgoing {
        let granted = (connect.version == Version::V5).then(|| {
            let asked_s = connect.properties.session_expiry_s.unwrap_or(0);
            Box::new(Granted {
                session_expiry_s: (asked_s != expiry_s).then_some(expiry_s),
                receive_maximum: u16::try_from(self.limits.in_flight_max).unwrap_or(u16::MAX),
                packet_bytes_max: u32::try_from(self.limits.packet_bytes_max + FIXED_HEADER_BYTES).unwrap_or(u32::MAX),
                topic_alias_max: TOPIC_ALIASES_MAX,
                server_keep_alive_s: self.server_keep_alive(connect.keep_alive_s),
                assigned_client_id: (!connect.client_id).then(|| format!("client-{}", self.connection)),
            })
        });
        Outgoing::ConnAck {
            present,
            reason: Reason::Success,
            granted,
        }
    }
}

/// The shortest fixed header: what is granted is never more than what is taken.
const FIXED_HEADER_BYTES: usize = 2;

fn acceptable(connect: &Connect) -> Result<(), CloseReason> {
    if connect.properties.authentication {
        return Err(CloseReason::Authentication);
    }
    if connect.properties.packet_bytes_max < CLIENT_BYTES_MIN {
        return Err(CloseReason::ClientTooSmall(connect.properties.packet_bytes_max));
    }
    // MQTT 3.1.1 §3.1.3.1; in 5.0 the hub assigns one.
    if connect.version == Version::V4 && !connect.client_id && !connect.clean_start {
        return Err(CloseReason::ClientId);
    }
    Ok(())
}

fn role(access: Access) -> (Role, Option<KeptSession>) {
    match access {
        Access::Device { id, kept } => {
            let granted = role::Granted::default();
            (Role::Device { id, granted }, kept)
        }
        Access::Integrator { filters } => {
            let subscribed = Vec::new();
            (Role::Integrator(Box::new(Integrator { filters, subscribed })), None)
        }
        Access::Claimant => {
            let (nonce, granted) = (None, None);
            (Role::Claimant { nonce, granted }, None)
        }
    }
}

/// What the store has to do before the client is told that it is connected, so that what it is told holds after a crash.
fn changes(open: &Open, was_kept: bool, kept: Option<&KeptSession>) -> Vec<Event> {
    let mut changes = Vec::new();
    let begins = kept.is_none() && open.expiry_s > 0;
    // Packet identifiers of an earlier session must never be taken for this one's.
    if begins || (kept.is_none() && was_kept) {
        changes.push(Event::DropSession);
    }
    if open.expiry_s > 0 && kept.is_none_or(|kept| kept.expiry_s != open.expiry_s) {
        changes.extend(open.to_kept().map(Event::KeepSession));
    }
    changes
}

fn as_will(reason: CloseReason) -> CloseReason {
    match reason {
        CloseReason::Topic(topic, error) => CloseReason::Will(topic, error),
        other => other,
    }
}
