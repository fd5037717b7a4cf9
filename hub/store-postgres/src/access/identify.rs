//! Whose a credential is: one round trip for a whole batch of devices, more where programs come or unknown devices enrol.

use super::enrol::{self, Newcomer};
use super::group::{self, Group};
use super::held;
use super::program::programs;
use crate::keyring::sha256;
use crate::row::{Columns, unreadable};
use crate::store::PostgresStore;
use hub_core::access::Credentials;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_store::access::{Credential, Principal};
use hub_store::error::Result;
use hub_store::session::{KeptSession, is_expired};
use hub_store::telemetry::Device;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A device as a batch found it.
struct FoundDevice {
    device: Device,
    held: Credentials,
    session: Option<KeptSession>,
    /// Something is left of a session that is not kept any more.
    leftovers: bool,
    /// Its presence says that it has been away for half of the time for which its session is kept, or longer.
    long_away: bool,
}

/// What a batch found.
#[derive(Default)]
struct Found {
    /// By index in the batch; a token may fit more than one.
    devices: HashMap<usize, Vec<FoundDevice>>,
    /// None where its keys do not open.
    groups: HashMap<(TenantId, String), Option<Group>>,
    /// Indexes for which there are rows that do not read: nobody comes in by these.
    unreadable: HashSet<usize>,
}

/// What is to be noted of devices that come in.
#[derive(Default)]
struct Notes {
    /// Left something of an expired session.
    leftovers: Vec<i64>,
    /// Took up a session after a while.
    taken_up: Vec<i64>,
    /// Came in by a certificate for the first time.
    certified: Vec<i64>,
}

pub(super) async fn identify(
    store: &PostgresStore,
    shown: &[Credential],
    now: Timestamp,
) -> Result<Vec<Option<Principal>>> {
    let mut answers: Vec<Option<Principal>> = vec![None; shown.len()];
    let mut notes = Notes::default();
    let all: Vec<usize> = (0..shown.len()).collect();
    let found = find(store, shown, &all, now).await?;
    answer(&found, shown, &all, now, &mut answers, &mut notes);
    programs(store, shown, now, &mut answers).await?;
    // Before anybody enrols: who comes in by a certificate joins no group.
    std::mem::take(&mut notes).write(store, now).await?;
    let newcomers = newcomers(store, &found, shown, &answers, now).await?;
    if !newcomers.is_empty() {
        let again: Vec<usize> = newcomers.iter().map(|newcomer| newcomer.index).collect();
        enrol::enrol(store, newcomers, now).await?;
        let found = find(store, shown, &again, now).await?;
        answer(&found, shown, &again, now, &mut answers, &mut notes);
    }
    notes.write(store, now).await?;
    Ok(answers)
}

impl Notes {
    /// Before anybody is let in.
    async fn write(self, store: &PostgresStore, now: Timestamp) -> Result<()> {
        if !self.leftovers.is_empty() {
            crate::session::forget_expired(store, &self.leftovers, now).await?;
        }
        if !self.taken_up.is_empty() {
            crate::session::touch(store, &self.taken_up, now).await?;
        }
        if !self.certified.is_empty() {
            enrol::note_certificates(store, &self.certified).await?;
        }
        Ok(())
    }
}

fn answer(
    found: &Found,
    shown: &[Credential],
    indexes: &[usize],
    now: Timestamp,
    answers: &mut [Option<Principal>],
    notes: &mut Notes,
) {
    for &index in indexes {
        if found.unreadable.contains(&index) {
            continue;
        }
        let known = found.devices.get(&index).map_or(&[][..], Vec::as_slice);
        // A token that two devices share says nothing about which of them it is.
        let mut fits = known
            .iter()
            .filter(|known| !known.held.revoked && known.is_shown_by(&shown[index], &found.groups, now));
        let (Some(known), None) = (fits.next(), fits.next()) else {
            continue;
        };
        let id = known.device.appliance.0;
        if known.leftovers {
            notes.leftovers.push(id);
        }
        if known.session.is_some() && known.long_away {
            notes.taken_up.push(id);
        }
        if !known.held.by_certificate && matches!(shown[index], Credential::Certificate { .. }) {
            notes.certified.push(id);
        }
        answers[index] = Some(Principal::Device(known.device.clone(), known.session.clone()));
    }
}

impl FoundDevice {
    fn is_shown_by(
        &self,
        shown: &Credential,
        groups: &HashMap<(TenantId, String), Option<Group>>,
        now: Timestamp,
    ) -> bool {
        match shown {
            Credential::Certificate { .. } => true,
            Credential::Token(token) => self.held.takes(&sha256(token.as_bytes()), now),
            Credential::Secret { device, secret, .. } => {
                let own = self.held.takes(&sha256(secret.as_bytes()), now);
                let group = self
                    .held
                    .group
                    .as_ref()
                    .map(|name| (self.device.tenant.clone(), name.clone()));
                let group = group.and_then(|key| groups.get(&key)).and_then(Option::as_ref);
                own | group.is_some_and(|group| group.knows(device, secret))
            }
        }
    }
}

/// Whose the credentials are, by name (1 to 3) or by token (4, 5), and what there is of each. Row by row through the indexes,
/// whatever the planner thinks of the tables' sizes.
const SHOWN: &str = "with shown as ( \
       select s.n, a.id from unnest($1::int[], $2::text[], $3::text[]) s (n, tenant, device) cross join lateral ( \
         select id from appliance where tenant = s.tenant and device = s.device offset 0) a \
       union select s.n, a.id from unnest($4::int[], $5::bytea[]) s (n, hash) cross join lateral ( \
         select id from appliance where secret_sha256 = s.hash offset 0) a \
       union select s.n, a.id from unnest($4::int[], $5::bytea[]) s (n, hash) cross join lateral ( \
         select id from appliance where old_secret_sha256 = s.hash offset 0) a) \
     select s.n, a.*, g.profile as group_profile, g.current, g.previous, m.expiry_s, m.subscriptions, t.online, \
       greatest(t.presence_at, m.kept_at) as left_at, \
       array(select packet_id from inbound_packet p where p.appliance = a.id) as unreleased \
     from shown s \
       cross join lateral ( \
         select id, tenant, device, profile, revoked, secret_sha256, old_secret_sha256, old_secret_until, \
           key_group, key_group as group_name, by_certificate from appliance where id = s.id offset 0) a \
       left join lateral ( \
         select online, presence_at from appliance_status where appliance = a.id offset 0) t on true \
       left join lateral ( \
         select expiry_s, subscriptions, kept_at from mqtt_session where appliance = a.id offset 0) m on true \
       left join lateral ( \
         select profile, current, previous from key_group where tenant = a.tenant and name = a.group_name \
         offset 0) g on true";

async fn find(store: &PostgresStore, shown: &[Credential], indexes: &[usize], now: Timestamp) -> Result<Found> {
    let (mut named, mut tenants, mut devices) = (Vec::new(), Vec::new(), Vec::new());
    let (mut tokens, mut hashes) = (Vec::new(), Vec::new());
    for &index in indexes {
        let number = i32::try_from(index).unwrap_or(i32::MAX);
        match &shown[index] {
            Credential::Secret { tenant, device, .. } | Credential::Certificate { tenant, device } => {
                named.push(number);
                tenants.push(tenant.as_str());
                devices.push(device.as_str());
            }
            Credential::Token(token) => {
                tokens.push(number);
                hashes.push(sha256(token.as_bytes()).to_vec());
            }
        }
    }
    let query = || {
        sqlx::query(SHOWN)
            .bind(&named)
            .bind(&tenants)
            .bind(&devices)
            .bind(&tokens)
            .bind(&hashes)
    };
    let rows = store.door.fetch(query).await?;
    let mut found = Found::default();
    for row in &rows {
        let index = usize::try_from(row.col::<i32>("n")?).map_err(|error| unreadable("index")(Box::new(error)))?;
        let known = match found_device(row, now) {
            Ok(known) => known,
            // The others of the batch come in none the less.
            Err(error) => {
                tracing::error!(credential = %shown[index], %error, "stored device unreadable: it is refused");
                found.unreadable.insert(index);
                continue;
            }
        };
        if let Some(name) = &known.held.group {
            let key = (known.device.tenant.clone(), name.clone());
            if let Entry::Vacant(place) = found.groups.entry(key) {
                let group = group::open(store, &place.key().0, row);
                place.insert(group);
            }
        }
        found.devices.entry(index).or_default().push(known);
    }
    Ok(found)
}

fn found_device(row: &PgRow, now: Timestamp) -> Result<FoundDevice> {
    let online = row.col::<Option<bool>>("online")?.unwrap_or(false);
    let unreleased: Vec<i32> = row.col("unreleased")?;
    let left_at = if online { None } else { row.maybe_at("left_at")? };
    let expiry_s = row.col::<Option<i64>>("expiry_s")?;
    let expiry_s = expiry_s.map(|s| u32::try_from(s).unwrap_or(u32::MAX));
    let session = match expiry_s {
        Some(expiry_s) if !is_expired(expiry_s, left_at, now) => Some(KeptSession {
            expiry_s,
            subscriptions: row.json("subscriptions")?,
            unreleased: unreleased.iter().filter_map(|id| u16::try_from(*id).ok()).collect(),
        }),
        _ => None,
    };
    Ok(FoundDevice {
        device: Device {
            appliance: ApplianceId(row.col("id")?),
            tenant: row.word("tenant")?,
            device: row.word("device")?,
            profile: row.col("profile")?,
        },
        held: held::read(row)?,
        leftovers: session.is_none() && !online && (expiry_s.is_some() || !unreleased.is_empty()),
        long_away: expiry_s.is_some_and(|expiry_s| is_expired(expiry_s / 2, left_at, now)),
        session,
    })
}

/// Devices that nobody made, or that were only declared, with a secret of a group that enrols.
async fn newcomers(
    store: &PostgresStore,
    found: &Found,
    shown: &[Credential],
    answers: &[Option<Principal>],
    now: Timestamp,
) -> Result<Vec<Newcomer>> {
    let mut candidates: Vec<(usize, &TenantId, &DeviceId, &str, Option<&FoundDevice>)> = Vec::new();
    for (index, credential) in shown.iter().enumerate() {
        let Credential::Secret { tenant, device, secret } = credential else {
            continue;
        };
        let known = found.devices.get(&index).and_then(|known| known.first());
        let is_open = !found.unreadable.contains(&index) && known.is_none_or(|known| known.held.is_declared_only());
        if answers[index].is_none() && is_open {
            candidates.push((index, tenant, device, secret, known));
        }
    }
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let tenants: BTreeSet<&str> = candidates.iter().map(|candidate| candidate.1.as_str()).collect();
    let groups = group::enrolling(store, &tenants.into_iter().collect::<Vec<_>>()).await?;
    let mut newcomers = Vec::new();
    for (index, tenant, device, secret, known) in candidates {
        let mut groups = groups.get(tenant).map_or(&[][..], Vec::as_slice).iter();
        let Some(group) = groups.find(|group| group.knows(device, secret)) else {
            continue;
        };
        if known.is_none_or(|known| known.device.profile == group.profile) {
            newcomers.push(Newcomer {
                index,
                tenant: tenant.clone(),
                device: device.clone(),
                profile: group.profile.clone(),
                group: group.name.clone(),
                known: known.map(|known| known.device.appliance),
            });
        }
    }
    tracing::debug!(count = newcomers.len(), %now, "devices enrol by their group's key");
    Ok(newcomers)
}
