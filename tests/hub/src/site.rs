//! Site files for tests.

use std::fmt::Write;
use std::net::SocketAddr;

/// Secret of every device in tests; the site file holds its SHA-256.
pub const SECRET: &str = "a-secret-for-tests";
const SECRET_SHA256: &str = "e242779449c117cb66b108785d1ffa95be4c6225cbcfa73cb53ab9c6f64ddf7d";

/// A site with one tenant `acme`, a trunk at `trunk`, and `devices` of a profile, each with an owner of its own.
pub struct TestSite {
    /// Where the carrier is; none: no trunk.
    pub trunk: Option<SocketAddr>,
    /// Password of the trunk's user `hub`, if it asks for one.
    pub password: Option<&'static str>,
    /// Devices: name, profile, model folder if not the family's own.
    pub devices: Vec<(String, String, Option<String>)>,
    /// Whether owners agreed to calls.
    pub consent: bool,
    /// A time zone in which it is daytime now.
    pub zone: String,
}

/// A fixed-offset zone in which it is about noon at the given hour of UTC, so that calls are allowed whenever a test runs.
pub fn daytime_zone(utc_hour: i8) -> String {
    match 12 - utc_hour {
        0 => "Etc/GMT".into(),
        // The sign of these zones' names is the other way round.
        east if east > 0 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    }
}

impl TestSite {
    /// The number of the owner of the n-th device.
    pub fn number(n: usize) -> String {
        format!("+8613800{n:06}")
    }

    /// The site file.
    pub fn toml(&self) -> String {
        let mut text = String::from(
            "[[tenant]]\nid = 'acme'\nbrand = { zh-CN = '安居电器', en = 'Acme Appliances' }\nvisit_price = { currency = 'CNY', amount = 80 }\n",
        );
        if let Some(trunk) = self.trunk {
            let _ = write!(
                text,
                "[tenant.trunk]\nproxy = '{trunk}'\ndomain = 'trunk.test'\ncaller_number = '+862155500100'\nbelieve_from = true\n"
            );
            if let Some(password) = self.password {
                let _ = write!(text, "username = 'hub'\npassword = '{password}'\n");
            }
        }
        let zone = &self.zone;
        let _ = write!(
            text,
            "[[tenant.service_point]]\nid = 'east'\nname = {{ zh-CN = '东网点', en = 'East' }}\nzone = '{zone}'\nslot = [\n"
        );
        for day in [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ] {
            let _ = writeln!(
                text,
                "  {{ day = '{day}', from = '09:00:00', to = '12:00:00', capacity = 50 }},"
            );
        }
        text.push_str("]\n");
        for (n, (name, profile, model)) in self.devices.iter().enumerate() {
            let number = Self::number(n);
            let consent = self.consent;
            let _ = write!(
                text,
                "[[tenant.owner]]\nid = 'o-{name}'\nname = 'Owner {n}'\nphone = '{number}'\nlanguage = 'en'\nzone = '{zone}'\nconsent_to_calls = {consent}\n"
            );
            let _ = write!(
                text,
                "[[tenant.device]]\nid = '{name}'\nprofile = '{profile}'\nowner = 'o-{name}'\nservice_point = 'east'\nsecret_sha256 = '{SECRET_SHA256}'\n"
            );
            if let Some(model) = model {
                let _ = writeln!(text, "model = '{model}'");
            }
        }
        text
    }
}
