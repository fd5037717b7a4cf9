//! `--secrets FILE`: declared devices that have nothing to come in with get a secret each, in a file that only its owner reads.

use crate::random;
use crate::terminal::say;
use anyhow::{Context, Result, ensure};
use hub_core::id::{DeviceId, TenantId};
use hub_core::site::{Device, Site};
use hub_store_postgres::{PostgresStore, SITE_BATCH};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The first line of the file.
const HEAD: &str = "tenant,device,user_name,password";

/// A file of another run is never written over: its secrets are nowhere else.
pub(super) fn check(path: &Path) -> Result<()> {
    ensure!(
        !path.exists(),
        "{} is there already; name a file that is not, since the secrets in it are nowhere else",
        path.display()
    );
    Ok(())
}

/// Gives the secrets, batch by batch; each batch is in the file before any of it works. With `dry_run` it is only counted.
pub(super) async fn give(store: &PostgresStore, site: &Site, path: &Path, dry_run: bool) -> Result<()> {
    let (mut file, mut drawn_in_all, mut given) = (None, 0, 0);
    for tenant in &site.tenants {
        for devices in tenant.devices.chunks(SITE_BATCH) {
            let names: Vec<&str> = devices.iter().map(|device| device.id.as_str()).collect();
            let held = store.devices_with_credential(&tenant.id, &names).await?;
            let drawn = draw(devices, &held.into_iter().collect());
            drawn_in_all += drawn.len();
            if dry_run || drawn.is_empty() {
                continue;
            }
            let out = match &mut file {
                Some(out) => out,
                None => file.insert(make(path)?),
            };
            write(out, &tenant.id, &drawn).with_context(|| format!("cannot write {}", path.display()))?;
            given += store.give_secrets(&tenant.id, &drawn).await.with_context(|| {
                let path = path.display();
                format!(
                    "the last {} lines of {path} may not hold; apply again with another file for the rest",
                    drawn.len()
                )
            })?;
        }
    }
    say(told(path, drawn_in_all, given, dry_run));
    Ok(())
}

/// The same where there is no database yet.
pub(super) fn count(site: &Site, path: &Path) {
    let devices = site
        .tenants
        .iter()
        .map(|tenant| draw(&tenant.devices, &HashSet::new()).len());
    say(told(path, devices.sum(), 0, true));
}

fn told(path: &Path, drawn: usize, given: usize, dry_run: bool) -> String {
    let path = path.display();
    match (drawn, drawn - given) {
        (0, _) => "every declared device has something to come in with".to_owned(),
        _ if dry_run => format!("{drawn} devices would get a secret, in {path}"),
        (_, 0) => format!("{given} devices got a secret, in {path}: keep it safe, the hub keeps hashes alone"),
        (_, missed) => format!(
            "{given} devices got a secret, in {path}; {missed} of its lines do not hold, since others gave those devices one meanwhile"
        ),
    }
}

/// A secret for each device that neither has one nor is given one by the site file.
fn draw(devices: &[Device], held: &HashSet<String>) -> Vec<(DeviceId, String)> {
    let bare = devices
        .iter()
        .filter(|device| device.secret_sha256.is_none() && !held.contains(device.id.as_str()));
    bare.map(|device| (device.id.clone(), random::secret())).collect()
}

fn make(path: &Path) -> Result<BufWriter<File>> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut out = BufWriter::new(file.with_context(|| format!("cannot make {}", path.display()))?);
    writeln!(out, "{HEAD}")?;
    Ok(out)
}

/// On the disk when it returns.
fn write(out: &mut BufWriter<File>, tenant: &TenantId, drawn: &[(DeviceId, String)]) -> std::io::Result<()> {
    // Names have letters, digits, `-`, `_` and `.` only: nothing needs quotes.
    for (device, secret) in drawn {
        writeln!(out, "{tenant},{device},{tenant}/{device},{secret}")?;
    }
    out.flush()?;
    out.get_ref().sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn device(id: &str, secret_sha256: Option<&str>) -> Device {
        let declared = serde_json::json!({ "id": id, "profile": "pump-rig", "secret_sha256": secret_sha256 });
        serde_json::from_value(declared).unwrap()
    }

    #[test]
    fn the_file_is_its_owners_alone_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.csv");
        check(&path).unwrap();
        let declared = [
            device("a", None),
            device("b", Some(&"ab".repeat(32))),
            device("c", None),
        ];
        let drawn = draw(&declared, &HashSet::from(["c".to_owned()]));
        let tenant = TenantId::new("acme").unwrap();
        write(&mut make(&path).unwrap(), &tenant, &drawn).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, [HEAD, &format!("acme,a,acme/a,{}", drawn[0].1)]);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(check(&path).is_err() && make(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn says_how_many_and_where() {
        let told = |drawn, given, dry_run| told(Path::new("s.csv"), drawn, given, dry_run);
        assert_eq!(told(0, 0, false), "every declared device has something to come in with");
        assert_eq!(told(7, 0, true), "7 devices would get a secret, in s.csv");
        assert!(told(7, 7, false).starts_with("7 devices got a secret, in s.csv"));
        assert!(told(7, 5, false).contains("2 of its lines do not hold"));
    }
}
