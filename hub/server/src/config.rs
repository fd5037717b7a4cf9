//! Configuration: one TOML file, overridden by the environment. Unknown keys are refused.

mod calls;
mod environment;
mod http;
mod quota;
mod scoring;

pub use calls::Ports;
pub use http::HttpLimits;
pub use quota::Quota;
pub use scoring::Scoring;

use anyhow::{Context, Result, bail, ensure};
use hub_broker::{BrokerConfig, TlsFiles, TlsListen};
use hub_core::host::Host;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Where devices connect (MQTT and WebSocket, without TLS).
    pub mqtt: SocketAddr,
    /// Where devices connect over TLS, if they do.
    pub mqtt_tls: Option<SocketAddr>,
    /// The hub's certificate for that, then those that lead to its root (PEM). Read again when it changes.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Connections of devices and integrators at one time. Each takes a file descriptor.
    pub connections_max: usize,
    /// A device that is away keeps its session for at most so long, in seconds.
    pub session_expiry_max_s: u64,
    /// A reading that the database has not taken after this time is given up, in seconds: 5 to 300. Its device's connection
    /// ends unacknowledged, and the device sends it again.
    pub commit_patience_s: u64,
    /// The roll-up (how many samples an appliance has sent, and when) rests so long between two rounds, in milliseconds: 100 to
    /// 60,000. Counts are behind by that and at most a second more while ingest is pressed.
    pub rollup_pause_ms: u64,
    /// An appliance's readings rest so long between two rounds of the aggregates, in seconds: 1 to 3,600. In each tenth of it a
    /// tenth of the appliances has its turn. Hours and days in charts are behind by that and the rounds, which wait a minute at
    /// most while ingest is pressed.
    pub aggregate_pause_s: u64,
    /// Where people and integrators connect (console and API).
    pub http: SocketAddr,
    /// Names by which people reach console and API, without port. Addresses and `localhost` need not be named; a request under
    /// any other name is refused, unless it asks for health.
    pub host_names: Vec<String>,
    /// Proxies in front of the console, as addresses or networks: what they say in `X-Forwarded-For` counts as the address of
    /// their client. Nobody else is believed.
    pub proxies: Vec<String>,
    /// Where the hub's SIP user agent listens (UDP).
    pub sip: SocketAddr,
    /// The address or name by which carriers reach it and the audio, where that is another one.
    pub sip_advertise: Option<Host>,
    /// Ports of audio (UDP): an even one and the odd one above it for each call.
    pub media_ports: Ports,
    /// Time zone in which the console shows times (IANA name); visits are shown in their service point's own.
    pub time_zone: String,
    /// A proxy in front of the console speaks TLS: cookies are sent over TLS only.
    pub behind_tls: bool,
    /// Who shows this as a bearer token may read `/metrics`. Without it only this machine may, and not through a proxy.
    pub metrics_token: Option<Token>,
    /// Calls that may be up at the same time.
    pub calls_max: usize,
    /// Serve devices, console and calls on addresses other than loopback. Off: such an address is refused at the start.
    pub expose: bool,
    /// How much of the listener for people anybody may hold.
    pub http_limits: HttpLimits,
    /// How soon readings are scored.
    pub scoring: Scoring,
    /// How much devices and tenants may send.
    pub quota: Quota,
}

/// A secret that prints as nothing.
#[derive(Clone, Deserialize)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl Default for Config {
    fn default() -> Self {
        let broker = BrokerConfig::new((Ipv4Addr::LOCALHOST, 1883).into());
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            state_dir: PathBuf::from("/var/lib/forecall"),
            database_url: None,
            postgres_bin: None,
            key_file: None,
            models_dir: PathBuf::from("/usr/share/forecall/models"),
            mqtt: loopback(1883),
            mqtt_tls: None,
            tls_certificate: None,
            tls_key: None,
            connections_max: broker.connections_max,
            session_expiry_max_s: broker.session_expiry_max.as_secs(),
            commit_patience_s: broker.commit_patience.as_secs(),
            rollup_pause_ms: 1_000,
            aggregate_pause_s: 300,
            http: loopback(8080),
            host_names: Vec::new(),
            proxies: Vec::new(),
            sip: loopback(5062),
            sip_advertise: None,
            media_ports: Ports::default(),
            time_zone: "UTC".into(),
            behind_tls: false,
            metrics_token: None,
            calls_max: 8,
            expose: false,
            http_limits: HttpLimits::default(),
            scoring: Scoring::default(),
            quota: Quota::default(),
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

    /// What the front door is told.
    pub fn broker(&self) -> BrokerConfig {
        let mut broker = BrokerConfig {
            listen_tls: self.tls(),
            connections_max: self.connections_max,
            session_expiry_max: Duration::from_secs(self.session_expiry_max_s),
            commit_patience: Duration::from_secs(self.commit_patience_s),
            ..BrokerConfig::new(self.mqtt)
        };
        self.quota.apply(&mut broker);
        broker
    }

    /// Where TLS is served and with what, if it is.
    pub fn tls(&self) -> Option<TlsListen> {
        Some(TlsListen {
            listen: self.mqtt_tls?,
            files: TlsFiles {
                chain: self.tls_certificate.clone()?,
                key: self.tls_key.clone()?,
            },
        })
    }

    fn check(&self) -> Result<()> {
        let given = [
            self.mqtt_tls.is_some(),
            self.tls_certificate.is_some(),
            self.tls_key.is_some(),
        ];
        ensure!(
            given == [true; 3] || given == [false; 3],
            "mqtt_tls, tls_certificate and tls_key are set together or not at all"
        );
        ensure!(
            (1..=1_000_000).contains(&self.connections_max),
            "connections_max = {} must be between 1 and 1000000",
            self.connections_max
        );
        ensure!(
            self.session_expiry_max_s <= u64::from(u32::MAX),
            "session_expiry_max_s = {} must be at most {}",
            self.session_expiry_max_s,
            u32::MAX
        );
        // A single try may take five seconds; and a connection that has ended keeps its place for so long.
        ensure!(
            (5..=300).contains(&self.commit_patience_s),
            "commit_patience_s = {} must be between 5 and 300",
            self.commit_patience_s
        );
        ensure!(
            (100..=60_000).contains(&self.rollup_pause_ms),
            "rollup_pause_ms = {} must be between 100 and 60000",
            self.rollup_pause_ms
        );
        ensure!(
            (1..=3_600).contains(&self.aggregate_pause_s),
            "aggregate_pause_s = {} must be between 1 and 3600",
            self.aggregate_pause_s
        );
        if let Some(Token(token)) = &self.metrics_token {
            ensure!(token.len() >= 16, "metrics_token must have at least 16 characters");
        }
        http::check_names(&self.host_names)?;
        self.trusted()?;
        self.http_limits.check()?;
        self.scoring.check()?;
        self.quota.check()?;
        let all = [("mqtt", self.mqtt), ("http", self.http), ("sip", self.sip)];
        for (name, addr) in all.into_iter().chain(self.mqtt_tls.map(|addr| ("mqtt_tls", addr))) {
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
        calls::check(self)
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
    fn the_time_for_a_commit_is_set_and_bounded() {
        let broker = load("commit_patience_s = 60", &[]).unwrap().broker();
        assert_eq!(broker.commit_patience, Duration::from_secs(60));
        let name = "FORECALL_COMMIT_PATIENCE_S";
        let broker = load("commit_patience_s = 60", &[(name, "6")]).unwrap().broker();
        assert_eq!(broker.commit_patience, Duration::from_secs(6));
        for wrong in ["4", "301", "soon"] {
            assert!(load("", &[(name, wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_pauses_of_followers_are_set_and_bounded() {
        let names = [
            ("FORECALL_ROLLUP_PAUSE_MS", "250"),
            ("FORECALL_AGGREGATE_PAUSE_S", "60"),
        ];
        let config = load("rollup_pause_ms = 5000", &names).unwrap();
        assert_eq!((config.rollup_pause_ms, config.aggregate_pause_s), (250, 60));
        for wrong in [
            "rollup_pause_ms = 99",
            "rollup_pause_ms = 60001",
            "aggregate_pause_s = 0",
            "aggregate_pause_s = 3601",
        ] {
            assert!(load(wrong, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_pace_of_scoring_is_set_and_bounded() {
        let pace = load("[scoring]\npause_ms = 5", &[]).unwrap().scoring;
        assert_eq!(
            (pace.pause(), pace.lag()),
            (Duration::from_millis(5), Duration::from_secs(1))
        );
        for wrong in [
            "pause_ms = 0",
            "pause_ms = 1001",
            "lag_ms = 20",
            "lag_ms = 60001",
            "pauses = 1",
        ] {
            assert!(load(&format!("[scoring]\n{wrong}"), &[]).is_err(), "{wrong}");
        }
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
            mqtt_tls: config.mqtt_tls,
            tls_certificate: config.tls_certificate.clone(),
            tls_key: config.tls_key.clone(),
            metrics_token: config.metrics_token.clone(),
            sip_advertise: config.sip_advertise.clone(),
            ..Config::default()
        };
        assert_eq!(format!("{config:?}"), format!("{default:?}"));
        // Every field that `Debug` names, with `http_limits`, `scoring` and `quota` as the headings of their tables.
        let fields = format!("{config:#?}");
        let fields = fields
            .lines()
            .filter(|line| line.contains(": ") || line.ends_with("{"))
            .count()
            - 1;
        let options = [
            "mqtt_tls",
            "postgres_bin",
            "key_file",
            "database_url",
            "tls_certificate",
            "tls_key",
            "metrics_token",
            "sip_advertise",
        ];
        for key in options {
            assert!(
                uncommented.contains(&format!("{key} = ")),
                "{key} is missing in the example"
            );
        }
        let keys = uncommented.lines().count();
        assert!(
            keys >= 49 && fields >= keys,
            "a key is missing in the example: {keys} of {fields}"
        );
    }

    #[test]
    fn tls_is_set_as_a_whole_and_quotas_are_bounded() {
        assert!(load("mqtt_tls = '127.0.0.1:8883'", &[]).is_err());
        let whole = "mqtt_tls = '127.0.0.1:8883'\ntls_certificate = 'c.pem'\ntls_key = 'k.pem'";
        let config = load(whole, &[("FORECALL_TLS_KEY", "other.pem")]).unwrap();
        let tls = config.broker().listen_tls.unwrap();
        assert_eq!((tls.listen.port(), tls.files.key), (8883, PathBuf::from("other.pem")));
        assert!(
            load(&whole.replace("127.0.0.1", "0.0.0.0"), &[]).is_err(),
            "only loopback unless asked"
        );
        let config = load("[quota]\ndevice_messages_per_s = 5\npacket_bytes_max = 4096", &[]).unwrap();
        let broker = config.broker();
        assert_eq!((broker.device_messages.per_second, broker.packet_bytes_max), (5, 4096));
        assert!(load("[quota]\nin_flight_max = 0", &[]).is_err());
        assert!(load("[quota]\nmessages = 0", &[]).is_err());
        assert!(load("metrics_token = 'short'", &[]).is_err());
        let shown = format!("{:?}", load("metrics_token = 'a-long-enough-secret'", &[]).unwrap());
        assert!(!shown.contains("a-long-enough"), "{shown}");
    }
}
