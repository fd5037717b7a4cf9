//! Topic aliases of the client (MQTT 5 §3.3.2.3.4).

use super::TOPIC_ALIASES_MAX;
use super::close::CloseReason;
use super::packet::Publish;

/// What each alias stands for: bounded, since a topic that may be published has at most 7 levels of 64 bytes.
#[derive(Debug, Default)]
pub(super) struct Aliases([Option<Box<[u8]>>; TOPIC_ALIASES_MAX as usize]);

/// Bytes of a topic that are remembered: longer ones are refused whenever they are used, also when cut to this.
const TOPIC_BYTES_MAX: usize = 512;

impl Aliases {
    /// Puts the topic in where an alias stands for it, or learns what the alias stands for.
    pub(super) fn resolve(&mut self, publish: &mut Publish, alias: u16) -> Result<(), CloseReason> {
        let place = usize::from(alias).checked_sub(1).and_then(|at| self.0.get_mut(at));
        let place = place.ok_or(CloseReason::TopicAlias(alias))?;
        let topic = publish.message.topic_bytes();
        if topic.is_empty() {
            let topic = place.as_deref().ok_or(CloseReason::TopicAlias(alias))?;
            publish.message = publish.message.on(topic);
        } else {
            *place = Some(topic.get(..TOPIC_BYTES_MAX).unwrap_or(topic).into());
        }
        Ok(())
    }
}
