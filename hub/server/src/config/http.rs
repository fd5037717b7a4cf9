//! Console and API: the table `[http_limits]`, and what of the configuration they are told.

use super::Config;
use anyhow::{Context, Result, ensure};
use hub_api::{ApiConfig, Limits, Proxies};
use jiff::tz::TimeZone;
use serde::Deserialize;

/// Bounds of the listener for people and programs. What is beyond one is closed or refused, and counted.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpLimits {
    /// Connections in all, 64 to 100,000, and no fewer than the other bounds. Each takes a file descriptor.
    pub connections_max: usize,
    /// Connections of one address on which nobody has logged in; one more closes the oldest of them.
    pub address_connections_max: usize,
    /// Connections of one log-in, which give way to nobody.
    pub person_connections_max: usize,
    /// Event streams in all. Each takes a connection.
    pub streams_max: usize,
    /// Event streams of one log-in.
    pub person_streams_max: usize,
}

/// The listener's own.
impl Default for HttpLimits {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            connections_max: limits.connections_max,
            address_connections_max: limits.address_connections_max,
            person_connections_max: limits.person_connections_max,
            streams_max: limits.streams_max,
            person_streams_max: limits.person_streams_max,
        }
    }
}

impl HttpLimits {
    fn limits(self) -> Limits {
        Limits {
            connections_max: self.connections_max,
            address_connections_max: self.address_connections_max,
            person_connections_max: self.person_connections_max,
            streams_max: self.streams_max,
            person_streams_max: self.person_streams_max,
            ..Limits::default()
        }
    }

    pub(super) fn check(self) -> Result<()> {
        ensure!(
            (64..=100_000).contains(&self.connections_max),
            "http_limits.connections_max = {} must be between 64 and 100000",
            self.connections_max
        );
        let parts = [
            ("address_connections_max", self.address_connections_max),
            ("person_connections_max", self.person_connections_max),
            ("streams_max", self.streams_max),
            ("person_streams_max", self.person_streams_max),
        ];
        for (name, value) in parts {
            ensure!(
                (1..=self.connections_max).contains(&value),
                "http_limits.{name} = {value} must be between 1 and connections_max = {}",
                self.connections_max
            );
        }
        Ok(())
    }
}

/// What an environment variable lists, separated by commas.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

pub(super) fn check_names(names: &[String]) -> Result<()> {
    for name in names {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        ensure!(
            plain && !name.is_empty(),
            "host_names: {name:?} is not a host name such as console.example, without scheme and port"
        );
    }
    Ok(())
}

impl Config {
    pub(super) fn trusted(&self) -> Result<Proxies> {
        Proxies::parse(&self.proxies).context("proxies")
    }

    /// The setting that lets people come from elsewhere, `behind_tls` or `expose`, where `host_names` is empty: by whatever name
    /// they come, they get 421.
    pub fn names_missing(&self) -> Option<&'static str> {
        let set = [("behind_tls", self.behind_tls), ("expose", self.expose)];
        let (name, _) = set.into_iter().find(|(_, is_set)| *is_set)?;
        self.host_names.is_empty().then_some(name)
    }

    /// What console and API are told.
    ///
    /// # Errors
    ///
    /// The time zone is not known, or a proxy is no address.
    pub fn console(&self) -> Result<ApiConfig> {
        Ok(ApiConfig {
            zone: TimeZone::get(&self.time_zone).context("time_zone")?,
            behind_tls: self.behind_tls,
            metrics_token: self.metrics_token.as_ref().map(|token| token.0.clone()),
            host_names: self.host_names.clone(),
            proxies: self.trusted()?,
            limits: self.http_limits.limits(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What this file would be read as.
    fn read(text: &str) -> Result<ApiConfig> {
        let config: Config = toml::from_str(text)?;
        config.check()?;
        config.console()
    }

    /// The same of these variables.
    fn from_environment(name: &str, value: &str) -> Result<ApiConfig> {
        Config::load(None, |asked| (asked == name).then(|| value.to_owned()))?.console()
    }

    #[test]
    fn the_limits_of_the_console_are_set_and_bounded() {
        let limits = read("[http_limits]\nconnections_max = 1024\naddress_connections_max = 2")
            .unwrap()
            .limits;
        assert_eq!((limits.connections_max, limits.address_connections_max), (1_024, 2));
        for wrong in [
            "connections_max = 63",
            "connections_max = 100001",
            "connections_max = 1023",
            "address_connections_max = 0",
            "person_connections_max = 2049",
            "streams_max = 0",
            "person_streams_max = 0",
            "connections = 64",
        ] {
            assert!(read(&format!("[http_limits]\n{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn host_names_are_names_without_port() {
        assert_eq!(
            read("host_names = ['console.example']").unwrap().host_names,
            ["console.example"]
        );
        let console = from_environment("FORECALL_HOST_NAMES", "console.example, hub-1.local").unwrap();
        assert_eq!(console.host_names, ["console.example", "hub-1.local"]);
        for wrong in ["", "https://console.example", "console.example:443", "a b", "*.example"] {
            assert!(read(&format!("host_names = ['{wrong}']")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_missing_where_people_come_from_elsewhere() {
        let missing = |text: &str| toml::from_str::<Config>(text).unwrap().names_missing();
        assert_eq!(missing(""), None);
        assert_eq!(missing("behind_tls = true"), Some("behind_tls"));
        assert_eq!(missing("expose = true"), Some("expose"));
        for set in ["behind_tls = true", "expose = true"] {
            assert_eq!(missing(&format!("{set}\nhost_names = ['console.example']")), None);
        }
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let given = read("proxies = ['127.0.0.1', '10.0.0.0/8']").unwrap().proxies;
        let listed = from_environment("FORECALL_PROXIES", "127.0.0.1,10.0.0.0/8")
            .unwrap()
            .proxies;
        assert_eq!(given, listed);
        assert_ne!(given, Proxies::default());
        let error = format!("{:#}", read("proxies = ['nginx']").err().unwrap());
        assert!(error.contains("proxies") && error.contains("\"nginx\""), "{error}");
    }
}
