//! Publishes of the client (MQTT 5 §3.3), and what releases them at QoS 2.

use super::close::CloseReason;
use super::inbound::{Answer, PacketIdState};
use super::packet::{Message, Publish, Version};
use super::reason::Reason;
use super::role::Role;
use super::{Event, Phase, Received, Session};

impl Session {
    pub(super) fn publish(&mut self, mut publish: Publish) {
        let Phase::Open(open) = &mut self.phase else { return };
        if let Some(alias) = publish.alias
            && let Err(reason) = open.aliases.get_or_insert_default().resolve(&mut publish, alias)
        {
            return self.handle_close(reason);
        }
        if publish.qos < 2 && is_bridge_state(&publish.message) && !matches!(open.role, Role::Claimant { .. }) {
            return self.pass_over(&publish);
        }
        let kind = match open.role.publish(&publish.message) {
            Ok(kind) => kind,
            Err(reason) => return self.refuse_publish(&publish, reason),
        };
        if publish.qos == 2 && self.is_repeated(publish.packet_id) {
            return self.acknowledge();
        }
        if self.inbound.is_overrun() || self.inbound.in_flight() >= self.limits.in_flight_max {
            return match publish.qos {
                0 => self.events.push_back(Event::Dropped),
                // The connection ends, but not before what came is acknowledged: a client that sends its whole backlog at
                // once gets on by as much with each connection. The rest it sends again.
                _ if self.version() == Some(Version::V4) && self.inbound.waiting() > 0 => self.inbound.overrun(),
                _ => self.refuse_publish(&publish, CloseReason::InFlight),
            };
        }
        let durable = publish.qos == 2 && self.is_durable() && kind.is_ingested();
        let answer = Answer::to_publish(publish.qos);
        let number = self.inbound.push(answer, publish.packet_id, durable);
        self.events.push_back(Event::Received(Received {
            number: Some(number),
            kind,
            qos: publish.qos,
            retain: publish.retain,
            exactly_once: durable.then_some(publish.packet_id),
            message: publish.message,
        }));
    }

    /// Whether a QoS 2 publish was received before. If it is stored already it is only acknowledged once more; if not,
    /// its acknowledgement is on the way.
    fn is_repeated(&mut self, packet_id: u16) -> bool {
        match self.inbound.packet_id_state(packet_id) {
            PacketIdState::New => return false,
            PacketIdState::UnderWay => {}
            PacketIdState::Stored { .. } if self.inbound.queued() >= self.queue_max() => {
                self.handle_close(CloseReason::ReceiveMaximum);
            }
            PacketIdState::Stored { .. } => {
                self.inbound
                    .push_settled(Answer::PubRec, packet_id, Reason::Success, None);
            }
        }
        true
    }

    /// MQTT 5 has a code for it; 3.1.1 can only close, which QoS 0 in MQTT 5 comes to as well.
    fn refuse_publish(&mut self, publish: &Publish, reason: CloseReason) {
        let answer = Answer::to_publish(publish.qos);
        if self.version() != Some(Version::V5) || answer == Answer::Nothing || reason == CloseReason::TopicNotUtf8 {
            return self.handle_close(reason);
        }
        if self.inbound.queued() >= self.queue_max() {
            return self.handle_close(CloseReason::ReceiveMaximum);
        }
        let text = self.text(&reason.to_string());
        self.inbound
            .push_settled(answer, publish.packet_id, reason.reason(), text);
        self.events.push_back(Event::Refused(reason));
        self.acknowledge();
    }

    /// Acknowledges what is of no use here.
    fn pass_over(&mut self, publish: &Publish) {
        if self.inbound.queued() >= self.queue_max() {
            return self.handle_close(CloseReason::ReceiveMaximum);
        }
        let answer = Answer::to_publish(publish.qos);
        self.inbound
            .push_settled(answer, publish.packet_id, Reason::Success, None);
        self.acknowledge();
    }

    /// What waits for its turn, refused publishes included.
    fn queue_max(&self) -> usize {
        self.limits.in_flight_max * 2
    }

    /// PUBREL (MQTT 5 §3.6).
    pub(super) fn release(&mut self, packet_id: u16) {
        // What the store knows must go there, or a later publish with this identifier would be taken for a repeat.
        let (in_store, reason) = match self.inbound.packet_id_state(packet_id) {
            PacketIdState::UnderWay => return self.handle_close(CloseReason::Unexpected("PUBREL before PUBREC")),
            PacketIdState::Stored { durable } => (durable, Reason::Success),
            PacketIdState::New => (self.is_durable(), Reason::PacketIdNotFound),
        };
        if self.inbound.waiting() >= self.limits.in_flight_max || self.inbound.queued() >= self.queue_max() {
            return self.handle_close(CloseReason::ReceiveMaximum);
        }
        if in_store {
            let number = self.inbound.push_release(packet_id, reason);
            self.events.push_back(Event::Released { number, packet_id });
        } else {
            self.inbound.push_settled(Answer::PubComp, packet_id, reason, None);
            self.acknowledge();
        }
    }

    fn is_durable(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.is_durable())
    }
}

/// Whether this is where mosquitto's bridges tell whether they are up, by a publish at QoS 1 and a will, unless their
/// settings say no (`notifications`). Nobody can read it here; refused, no bridge as it comes would ever be let in.
pub(super) fn is_bridge_state(message: &Message) -> bool {
    let topic = message.topic_bytes();
    let is_plain = |byte: &u8| matches!(*byte, b' '..=b'~') && !matches!(*byte, b'+' | b'#');
    topic.starts_with(b"$SYS/broker/connection/") && topic.ends_with(b"/state") && topic.iter().all(is_plain)
}
