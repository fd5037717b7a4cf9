//! What the owner of an appliance does when the phone rings.

use std::time::Duration;

/// How a ringing phone is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Picks up after ringing that long.
    After(Duration),
    /// Rejects the call after ringing that long.
    DeclinesAfter(Duration),
    /// Is on the phone already.
    Busy,
    /// Lets it ring.
    Never,
}

/// A key pressed during the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPress {
    /// After picking up (first key) or after the key before.
    pub after: Duration,
    /// `0` to `9`, `*` or `#`.
    pub key: char,
}

/// The whole of an owner's behaviour in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerScript {
    /// How the ringing phone is met.
    pub answer: Answer,
    /// Keys in order.
    pub keys: Vec<KeyPress>,
    /// Hangs up that long after picking up; `None` waits for the other side.
    pub hangs_up_after: Option<Duration>,
}

/// Something the owner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerAction {
    /// Presses a key.
    Press(char),
    /// Hangs up.
    HangUp,
}

impl OwnerScript {
    /// Picks up after `answer_after`, and presses each of `keys` another `pause` later.
    pub fn answers(answer_after: Duration, keys: &str, pause: Duration) -> Self {
        let keys = keys.chars().map(|key| KeyPress { after: pause, key }).collect();
        Self {
            answer: Answer::After(answer_after),
            keys,
            hangs_up_after: None,
        }
    }

    /// Never reaches a conversation.
    pub fn not_reached(answer: Answer) -> Self {
        Self {
            answer,
            keys: Vec::new(),
            hangs_up_after: None,
        }
    }

    /// What the owner does in the call, with the time since picking up, in order; nothing follows hanging up.
    pub fn actions(&self) -> Vec<(Duration, OwnerAction)> {
        let mut at = Duration::ZERO;
        let mut actions = Vec::with_capacity(self.keys.len() + 1);
        for press in &self.keys {
            at = at.saturating_add(press.after);
            actions.push((at, OwnerAction::Press(press.key)));
        }
        if let Some(end) = self.hangs_up_after {
            actions.retain(|(at, _)| *at < end);
            actions.push((end, OwnerAction::HangUp));
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn keys_follow_one_another_until_the_owner_hangs_up() {
        let mut owner = OwnerScript::answers(3 * SECOND, "01", 2 * SECOND);
        assert_eq!(owner.answer, Answer::After(3 * SECOND));
        let pressed = [
            (2 * SECOND, OwnerAction::Press('0')),
            (4 * SECOND, OwnerAction::Press('1')),
        ];
        assert_eq!(owner.actions(), pressed);
        owner.hangs_up_after = Some(3 * SECOND);
        assert_eq!(owner.actions(), [pressed[0], (3 * SECOND, OwnerAction::HangUp)]);
    }
}
