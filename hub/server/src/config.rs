//! Configuration: one TOML file, overridden by the environment. Unknown keys are refused.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Everything that can be set. `deploy/config/forecall.example.toml` shows every key with its default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Database, keyring and prompt cache live here.
    pub state_dir: PathBuf,
    /// A given PostgreSQL; without it the hub runs its own cluster in the state directory.
    pub database_url: Option<String>,
    /// Directory with `postgres`, `initdb` and `pg_ctl` for the own cluster, if not where distributions put it.
    pub postgres_bin: Option<PathBuf>,
    /// The keyring, if not in the state directory: phone numbers cannot be read without it.
    pub key_file: Option<PathBuf>,
    /// Model folders and profiles.
    pub models_dir: PathBuf,
    /// Where devices connect (MQTT).
    pub mqtt: SocketAddr,
    /// Where people and integrators connect (console and API).
    pub http: SocketAddr,
    /// Where the hub's SIP user agent listens (UDP).
    pub sip: SocketAddr,
    /// Time zone in which the console shows times (IANA name); visits are shown in their service point's own.
    pub time_zone: String,
    /// A proxy in front of the console speaks TLS: cookies are sent over TLS only.
    pub behind_tls: bool,
    /// Calls that may be up at the same time.
    pub calls_max: usize,
    /// Serve devices, console and calls on addresses other than loopback. Off: such an address is refused at the start.
    pub expose: bool,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            state_dir: PathBuf::from("/var/lib/forecall"),
            database_url: None,
            postgres_bin: None,
            key_file: None,
            models_dir: PathBuf::from("/usr/share/forecall/models"),
            mqtt: loopback(1883),
            http: loopback(8080),
            sip: loopback(5062),
            time_zone: "UTC".into(),
            behind_tls: false,
            calls_max: 8,
            expose: false,
        }
    }
}

impl Config {
    /// Reads the file, if one is named, and then the environment (`FORECALL_STATE_DIR`, `FORECALL_HTTP`, …, `DATABASE_URL`).
    pub fn load(file: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut config = match file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the configuration {}", path.display()))?;
                toml::from_str(&text).with_context(|| format!("the configuration {} is not valid", path.display()))?
            }
            None => Self::default(),
        };
        config.take_environment(env)?;
        config.check()?;
        Ok(config)
    }

    fn take_environment(&mut self, env: impl Fn(&str) -> Option<String>) -> Result<()> {
        fn parse<T: std::str::FromStr>(name: &str, value: Option<String>, into: &mut T) -> Result<()>
        where
            T::Err: std::error::Error + Send + Sync + 'static,
        {
            if let Some(text) = value {
                *into = text
                    .parse()
                    .with_context(|| format!("the environment variable {name} is not valid: {text:?}"))?;
            }
            Ok(())
        }
        parse("FORECALL_STATE_DIR", env("FORECALL_STATE_DIR"), &mut self.state_dir)?;
        parse("FORECALL_MODELS_DIR", env("FORECALL_MODELS_DIR"), &mut self.models_dir)?;
        parse("FORECALL_MQTT", env("FORECALL_MQTT"), &mut self.mqtt)?;
        parse("FORECALL_HTTP", env("FORECALL_HTTP"), &mut self.http)?;
        parse("FORECALL_SIP", env("FORECALL_SIP"), &mut self.sip)?;
        parse("FORECALL_TIME_ZONE", env("FORECALL_TIME_ZONE"), &mut self.time_zone)?;
        parse("FORECALL_BEHIND_TLS", env("FORECALL_BEHIND_TLS"), &mut self.behind_tls)?;
        parse("FORECALL_CALLS_MAX", env("FORECALL_CALLS_MAX"), &mut self.calls_max)?;
        parse("FORECALL_EXPOSE", env("FORECALL_EXPOSE"), &mut self.expose)?;
        self.database_url = env("DATABASE_URL").or(self.database_url.take());
        self.key_file = env("FORECALL_KEY_FILE").map(PathBuf::from).or(self.key_file.take());
        self.postgres_bin = env("FORECALL_POSTGRES_BIN")
            .map(PathBuf::from)
            .or(self.postgres_bin.take());
        Ok(())
    }

    fn check(&self) -> Result<()> {
        for (name, addr) in [("mqtt", self.mqtt), ("http", self.http), ("sip", self.sip)] {
            if !self.expose && !addr.ip().is_loopback() {
                bail!(
                    "{name} = {addr} is not a loopback address; set expose = true if devices or people on a network shall reach it"
                );
            }
        }
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            bail!(
                "time_zone = {:?} is not an IANA time zone such as Asia/Shanghai",
                self.time_zone
            );
        }
        if !(1..=1000).contains(&self.calls_max) {
            bail!("calls_max = {} must be between 1 and 1000", self.calls_max);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("forecall.toml");
        std::fs::write(&file, text)?;
        Config::load(Some(&file), |name| {
            env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn the_environment_overrides_the_file_and_unknown_keys_are_refused() {
        let config = load(
            "http = '127.0.0.1:9000'\nmqtt = '127.0.0.1:2883'",
            &[("FORECALL_HTTP", "127.0.0.1:9001")],
        )
        .unwrap();
        assert_eq!((config.http.port(), config.mqtt.port()), (9001, 2883));
        let error = format!("{:#}", load("htp = 'x'", &[]).unwrap_err());
        assert!(error.contains("unknown field `htp`"), "{error}");
        let error = format!("{:#}", load("", &[("FORECALL_SIP", "nowhere")]).unwrap_err());
        assert!(error.contains("FORECALL_SIP"), "{error}");
    }

    #[test]
    fn only_loopback_unless_asked() {
        assert!(load("http = '0.0.0.0:8080'", &[]).is_err());
        assert!(load("http = '0.0.0.0:8080'\nexpose = true", &[]).is_ok());
    }

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        let example = include_str!("../../../deploy/config/forecall.example.toml");
        let uncommented: String = example
            .lines()
            .filter_map(|l| l.strip_prefix("#= ").map(|l| format!("{l}\n")))
            .collect();
        let config: Config = toml::from_str(&uncommented).unwrap();
        let default = Config {
            database_url: config.database_url.clone(),
            postgres_bin: config.postgres_bin.clone(),
            key_file: config.key_file.clone(),
            ..Config::default()
        };
        assert_eq!(format!("{config:?}"), format!("{default:?}"));
        assert_eq!(uncommented.lines().count(), 12, "a key is missing in the example");
    }
}
