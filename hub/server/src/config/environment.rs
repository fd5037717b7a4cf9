//! The environment, which overrides the file: `FORECALL_` and the key in capitals, and `DATABASE_URL`.

use super::{Config, Token, http};
use anyhow::{Context, Result};
use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;

impl Config {
    /// Takes what is set there; what is not stays as it is.
    pub(super) fn take_environment(&mut self, env: impl Fn(&str) -> Option<String>) -> Result<()> {
        parse("FORECALL_STATE_DIR", &env, &mut self.state_dir)?;
        parse("FORECALL_MODELS_DIR", &env, &mut self.models_dir)?;
        parse("FORECALL_MQTT", &env, &mut self.mqtt)?;
        parse("FORECALL_HTTP", &env, &mut self.http)?;
        parse("FORECALL_SIP", &env, &mut self.sip)?;
        parse("FORECALL_MEDIA_PORTS", &env, &mut self.media_ports)?;
        if let Some(text) = env("FORECALL_SIP_ADVERTISE") {
            let why = || format!("the environment variable FORECALL_SIP_ADVERTISE is not valid: {text:?}");
            self.sip_advertise = Some(text.parse().with_context(why)?);
        }
        parse("FORECALL_TIME_ZONE", &env, &mut self.time_zone)?;
        parse("FORECALL_BEHIND_TLS", &env, &mut self.behind_tls)?;
        parse("FORECALL_CALLS_MAX", &env, &mut self.calls_max)?;
        parse("FORECALL_EXPOSE", &env, &mut self.expose)?;
        parse("FORECALL_CONNECTIONS_MAX", &env, &mut self.connections_max)?;
        parse("FORECALL_COMMIT_PATIENCE_S", &env, &mut self.commit_patience_s)?;
        parse("FORECALL_ROLLUP_PAUSE_MS", &env, &mut self.rollup_pause_ms)?;
        parse("FORECALL_AGGREGATE_PAUSE_S", &env, &mut self.aggregate_pause_s)?;
        if let Some(text) = env("FORECALL_MQTT_TLS") {
            let why = || format!("the environment variable FORECALL_MQTT_TLS is not valid: {text:?}");
            self.mqtt_tls = Some(text.parse().with_context(why)?);
        }
        if let Some(text) = env("FORECALL_HOST_NAMES") {
            self.host_names = http::words(&text);
        }
        if let Some(text) = env("FORECALL_PROXIES") {
            self.proxies = http::words(&text);
        }
        let path = |name| env(name).map(PathBuf::from);
        self.tls_certificate = path("FORECALL_TLS_CERTIFICATE").or(self.tls_certificate.take());
        self.tls_key = path("FORECALL_TLS_KEY").or(self.tls_key.take());
        self.metrics_token = env("FORECALL_METRICS_TOKEN").map(Token).or(self.metrics_token.take());
        self.database_url = env("DATABASE_URL").or(self.database_url.take());
        self.key_file = env("FORECALL_KEY_FILE").map(PathBuf::from).or(self.key_file.take());
        self.postgres_bin = env("FORECALL_POSTGRES_BIN")
            .map(PathBuf::from)
            .or(self.postgres_bin.take());
        Ok(())
    }
}

fn parse<T: FromStr>(name: &str, env: &impl Fn(&str) -> Option<String>, into: &mut T) -> Result<()>
where
    T::Err: Error + Send + Sync + 'static,
{
    if let Some(text) = env(name) {
        *into = text
            .parse()
            .with_context(|| format!("the environment variable {name} is not valid: {text:?}"))?;
    }
    Ok(())
}
