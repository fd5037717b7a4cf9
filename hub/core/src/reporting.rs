//! What an administrator tells a device that runs our agent about reporting: the shared attribute `reporting`,
//! `{"version": 7, "batch_age_s": 60, "metrics": {"3": {"deadband": 5, "interval_s": 60}}}`. The agent passes over what it cannot
//! read, in silence; so it is checked before it is told.

use serde_json::{Map, Value};

/// The attribute's name.
pub const NAME: &str = "reporting";
/// The greatest number of seconds: the agent counts milliseconds in 32 bits.
const SECONDS_MAX: u64 = u32::MAX as u64 / 1_000;

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportingError {
    /// A part is no object.
    #[error("{0} is an object, as docs/topics.md shows it")]
    NoObject(String),
    /// A member that the agent does not know.
    #[error("{part} has no {name:?}; it takes {known}")]
    Unknown {
        /// Of what.
        part: String,
        /// Its name.
        name: String,
        /// Names that there are.
        known: &'static str,
    },
    /// A number is missing, is not whole, or is not within its bounds.
    #[error("{part} is a whole number from {least} to {most}")]
    Number {
        /// Part that is named.
        part: String,
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// A metric that goes by something else than a channel.
    #[error("metrics go by channel id, \"1\" to \"255\" without leading zeros, not {0:?}")]
    Channel(String),
    /// Other settings under a version that is told already.
    #[error(
        "other settings are told under version {0} already; the device would ignore these: give them another version"
    )]
    SameVersion(u32),
    /// The device has applied this version, which was told before.
    #[error("version {0} is in force on the device, which would ignore these: give them another version")]
    InForce(u32),
}

/// Checks settings that are to be told in place of those that `told` holds by name, to a device on which the settings of
/// version `in_force` hold, where 0 is none of the hub's; and gives their version.
///
/// # Errors
/// What the agent would not take.
pub fn check(settings: &Value, told: &Map<String, Value>, in_force: u64) -> Result<u32, ReportingError> {
    let members = object(NAME, settings)?;
    known(
        NAME,
        members,
        &["version", "batch_age_s", "metrics"],
        "version, batch_age_s and metrics",
    )?;
    let version = number(
        NAME,
        members.get("version").unwrap_or(&Value::Null),
        "version",
        1,
        u64::from(u32::MAX),
    )?;
    if let Some(age_s) = members.get("batch_age_s") {
        number(NAME, age_s, "batch_age_s", 0, SECONDS_MAX)?;
    }
    if let Some(metrics) = members.get("metrics") {
        for (channel, metric) in object("metrics", metrics)? {
            check_metric(channel, metric)?;
        }
    }
    // It is at most that.
    let version = u32::try_from(version).unwrap_or(u32::MAX);
    let is_told = version_told(told) == Some(version);
    if is_told && told.get(NAME) != Some(settings) {
        return Err(ReportingError::SameVersion(version));
    }
    // What was told under it before may have been something else.
    if !is_told && in_force == u64::from(version) {
        return Err(ReportingError::InForce(version));
    }
    Ok(version)
}

/// The version of the settings among attributes that a device is told, if there are any.
pub fn version_told(told: &Map<String, Value>) -> Option<u32> {
    let version = told.get(NAME)?.get("version")?.as_u64()?;
    u32::try_from(version).ok().filter(|version| *version > 0)
}

fn check_metric(channel: &str, metric: &Value) -> Result<(), ReportingError> {
    let is_channel = channel
        .parse::<u8>()
        .is_ok_and(|id| id > 0 && id.to_string() == channel);
    if !is_channel {
        return Err(ReportingError::Channel(channel.to_owned()));
    }
    let part = format!("metric {channel}");
    let members = object(&part, metric)?;
    known(&part, members, &["deadband", "interval_s"], "deadband and interval_s")?;
    for (name, value) in members {
        let most = if name == "deadband" {
            u64::from(u32::MAX)
        } else {
            SECONDS_MAX
        };
        number(&part, value, name, 0, most)?;
    }
    Ok(())
}

fn object<'v>(part: &str, value: &'v Value) -> Result<&'v Map<String, Value>, ReportingError> {
    value
        .as_object()
        .ok_or_else(|| ReportingError::NoObject(part.to_owned()))
}

fn known(part: &str, members: &Map<String, Value>, names: &[&str], known: &'static str) -> Result<(), ReportingError> {
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(ReportingError::Unknown {
            part: part.to_owned(),
            name: name.clone(),
            known,
        }),
        None => Ok(()),
    }
}

/// A number as the agent reads it: of digits only, so neither `5.0` nor `1e3`.
fn number(part: &str, value: &Value, name: &str, least: u64, most: u64) -> Result<u64, ReportingError> {
    let number = value.as_u64().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| ReportingError::Number {
        part: format!("{name} of {part}"),
        least,
        most,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(settings: &Value) -> Result<u32, ReportingError> {
        check(settings, &Map::new(), 0)
    }

    #[test]
    fn what_the_agent_takes_is_taken() {
        let seconds = 4_294_967;
        for (settings, version) in [
            (json!({"version": 1}), 1),
            (
                json!({"version": u32::MAX, "batch_age_s": seconds, "metrics": {}}),
                u32::MAX,
            ),
            (
                json!({"version": 7, "batch_age_s": 0, "metrics": {
                    "1": {}, "255": {"deadband": u32::MAX, "interval_s": seconds}, "30": {"interval_s": 0}}}),
                7,
            ),
        ] {
            assert_eq!(checked(&settings), Ok(version), "{settings}");
        }
    }

    #[test]
    fn what_the_agent_would_pass_over_is_refused_in_words() {
        let cases = [
            (json!(7), "reporting is an object"),
            (json!({}), "version of reporting is a whole number from 1 to 4294967295"),
            (json!({"version": 0}), "version of reporting"),
            (json!({"version": 4_294_967_296_u64}), "version of reporting"),
            (json!({"version": 1.0}), "version of reporting"),
            (json!({"version": "1"}), "version of reporting"),
            (json!({"version": -1}), "version of reporting"),
            (
                json!({"version": 1, "batch_age": 60}),
                "reporting has no \"batch_age\"; it takes version, batch_age_s",
            ),
            (
                json!({"version": 1, "batch_age_s": 4_294_968}),
                "batch_age_s of reporting is a whole number from 0 to 4294967",
            ),
            (json!({"version": 1, "batch_age_s": null}), "batch_age_s of reporting"),
            (json!({"version": 1, "metrics": []}), "metrics is an object"),
            (json!({"version": 1, "metrics": {"0": {}}}), "metrics go by channel id"),
            (json!({"version": 1, "metrics": {"256": {}}}), "not \"256\""),
            (json!({"version": 1, "metrics": {"03": {}}}), "not \"03\""),
            (json!({"version": 1, "metrics": {"+3": {}}}), "not \"+3\""),
            (
                json!({"version": 1, "metrics": {"pump_current": {}}}),
                "not \"pump_current\"",
            ),
            (json!({"version": 1, "metrics": {"3": 5}}), "metric 3 is an object"),
            (
                json!({"version": 1, "metrics": {"3": {"dead_band": 5}}}),
                "metric 3 has no \"dead_band\"",
            ),
            (
                json!({"version": 1, "metrics": {"3": {"deadband": 4_294_967_296_u64}}}),
                "deadband of metric 3 is a whole number from 0 to 4294967295",
            ),
            (
                json!({"version": 1, "metrics": {"3": {"interval_s": 4_294_968}}}),
                "interval_s of metric 3 is a whole number from 0 to 4294967",
            ),
        ];
        for (settings, expected) in cases {
            let said = checked(&settings).unwrap_err().to_string();
            assert!(said.contains(expected), "{settings}: {said}");
        }
    }

    #[test]
    fn other_settings_need_another_version() {
        let settings = json!({"version": 7, "batch_age_s": 60});
        let told = Map::from_iter([(NAME.to_owned(), settings.clone())]);
        assert_eq!(version_told(&told), Some(7));
        for in_force in [0, 6, 7] {
            assert_eq!(
                check(&settings, &told, in_force),
                Ok(7),
                "the same again changes nothing"
            );
        }
        let other = json!({"version": 7, "batch_age_s": 30});
        assert_eq!(check(&other, &told, 7), Err(ReportingError::SameVersion(7)));
        let earlier = json!({"version": 6, "batch_age_s": 30});
        assert_eq!(check(&earlier, &told, 7), Ok(6));
        // It was told, and then something else was, or nothing.
        assert_eq!(check(&earlier, &told, 6), Err(ReportingError::InForce(6)));
        assert_eq!(check(&settings, &Map::new(), 7), Err(ReportingError::InForce(7)));
        for none in [json!({}), json!({"version": 0}), json!({"version": "7"}), json!(7)] {
            let told = Map::from_iter([(NAME.to_owned(), none.clone())]);
            assert_eq!(version_told(&told), None, "{none}");
        }
        assert_eq!(version_told(&Map::new()), None);
    }
}
