//! What a channel shows of the conditions under which it works (load, level, ambient temperature) and not of its health.

use super::channel::Channel;

/// Influence of a condition on a channel, as a fleet has shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Index of the channel that is freed of it.
    pub channel: usize,
    /// Index of the channel that tells the condition. It is not watched itself: it is no sign of health.
    pub by: usize,
    /// Value of the condition at which nothing changes.
    pub reference: f64,
    /// Change with each unit of the condition: a share of the normal for `m/s2`, `A` and `W`, else in the channel's unit.
    pub linear: f64,
    /// Change with the square of it.
    pub square: f64,
}

/// The values that can be compared, freed of their conditions. One whose condition is missing is missing.
pub(super) fn freed(channels: &[Channel], conditions: &[Condition], values: &[Option<f64>]) -> Vec<Option<f64>> {
    let value = |i: usize| Channel::usable(values.get(i).copied().flatten());
    let freed = |(i, channel): (usize, &Channel)| {
        if conditions.iter().any(|condition| condition.by == i) {
            return None;
        }
        let mut change = 0.0;
        for condition in conditions.iter().filter(|condition| condition.channel == i) {
            let apart = value(condition.by)? - condition.reference;
            change += condition.linear * apart + condition.square * apart * apart;
        }
        Channel::usable(Some(channel.without(value(i)?, change)))
    };
    channels.iter().enumerate().map(freed).collect()
}
