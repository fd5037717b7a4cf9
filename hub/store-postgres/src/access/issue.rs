//! The hub's own authority of a tenant: made when it is first needed, its key sealed by the keyring. It signs devices'
//! requests, and the list of what it takes back (RFC 5280).

use super::change;
use crate::certificate::key_sha256;
use crate::keyring::{KeyringError, random};
use crate::row::{Columns, db, not_found, sql, unreadable};
use crate::store::{PostgresStore, sealed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_store::error::{Result, StoreError};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKey, RevokedCertParams,
    SerialNumber,
};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

/// Name of the authority whose key is at the hub.
pub(crate) const OWN: &str = "hub";
/// The authority holds for so long.
const AUTHORITY_DAYS: i64 = 20 * 365;
/// A device's certificate holds for so long; then it asks for a new one.
const CERTIFICATE_DAYS: i64 = 5 * 365;
/// Certificates hold from this long before they are made: clocks differ.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);
/// Longest request, in bytes.
const REQUEST_LEN_MAX: usize = 8 * 1024;

/// Reads a request (PKCS #10, DER) and checks that its maker holds its key.
pub(super) fn read_request(der: &[u8]) -> Result<PublicKey> {
    if der.len() > REQUEST_LEN_MAX {
        return Err(StoreError::Refused(format!(
            "a certificate request has at most {REQUEST_LEN_MAX} bytes, not {}",
            der.len()
        )));
    }
    let request = CertificateSigningRequestParams::from_der(&der.into())
        .map_err(|error| StoreError::Refused(format!("the certificate request is not taken: {error}")))?;
    if matches!(request.params.is_ca, IsCa::Ca(_)) {
        return Err(StoreError::Refused(
            "the certificate request asks for an authority; a device gets a certificate for itself only".to_owned(),
        ));
    }
    Ok(request.public_key)
}

/// A signed certificate.
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) authority: String,
}

/// Signs for this device, whatever name the request bears, and notes the certificate.
pub(super) async fn sign(
    store: &PostgresStore,
    conn: &mut PgConnection,
    tenant: &TenantId,
    device: (&DeviceId, ApplianceId),
    key: &PublicKey,
    now: Timestamp,
) -> Result<Signed> {
    let own = Own::load(store, conn, tenant, "for key share").await?;
    let serial = serial().map_err(sealed("random bytes"))?;
    let not_after = later(now, CERTIFICATE_DAYS).min(own.not_after);
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, device.0.as_str());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = moment(now - BACKDATED)?;
    params.not_after = moment(not_after)?;
    let certificate = params
        .signed_by(key, &own.issuer()?)
        .map_err(|error| StoreError::Refused(format!("the certificate request is not taken: {error}")))?;
    sqlx::query(
        "insert into certificate (serial, tenant, authority, appliance, not_after) values ($1, $2, $3, $4, $5)",
    )
    .bind(&serial[..])
    .bind(tenant.as_str())
    .bind(OWN)
    .bind(device.1.0)
    .bind(sql(not_after))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(Signed {
        certificate: certificate.pem(),
        authority: pem("CERTIFICATE", &own.certificate),
    })
}

/// Makes the tenant's own authority unless it is there. Told to the front door, which must trust it from now on.
pub(super) async fn ensure(store: &PostgresStore, tenant: &TenantId, now: Timestamp) -> Result<()> {
    let is_there: bool = sqlx::query_scalar("select exists (select from authority where tenant = $1 and name = $2)")
        .bind(tenant.as_str())
        .bind(OWN)
        .fetch_one(&store.pool)
        .await
        .map_err(db)?;
    if is_there {
        return Ok(());
    }
    let not_after = later(now, AUTHORITY_DAYS);
    let key = KeyPair::generate().map_err(broken)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = format!("Forecall, devices of {tenant}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from_slice(&serial().map_err(sealed("random bytes"))?));
    params.not_before = moment(now - BACKDATED)?;
    params.not_after = moment(not_after)?;
    let certificate = params.self_signed(&key).map_err(broken)?;
    let private = zeroize::Zeroizing::new(key.serialize_der());
    let private = store
        .keyring
        .seal(&place(tenant), &private)
        .map_err(sealed("signing key"))?;
    let mut tx = store.begin().await?;
    // Somebody else may have been first: theirs counts.
    let made = sqlx::query(
        "insert into authority (tenant, name, certificate, key_sha256, not_after, signing_key) \
         values ($1, $2, $3, $4, $5, $6) on conflict (tenant, name) do nothing",
    )
    .bind(tenant.as_str())
    .bind(OWN)
    .bind(&certificate.der()[..])
    .bind(&key_sha256(certificate.der())?[..])
    .bind(sql(not_after))
    .bind(private)
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    if made.rows_affected() == 1 {
        change::authorities(&mut tx, tenant).await?;
    }
    change::commit(store, tx).await
}

/// Takes back what the hub signed for this device, and writes the list again. Nothing if it signed nothing.
pub(crate) async fn revoke(
    store: &PostgresStore,
    conn: &mut PgConnection,
    tenant: &TenantId,
    appliances: &[i64],
    now: Timestamp,
) -> Result<()> {
    let revoked =
        sqlx::query("update certificate set revoked_at = $2 where appliance = any($1) and revoked_at is null")
            .bind(appliances)
            .bind(sql(now))
            .execute(&mut *conn)
            .await
            .map_err(db)?;
    if revoked.rows_affected() == 0 {
        return Ok(());
    }
    // Locked until the commit: the next caller sees these rows, too.
    let own = Own::load(store, &mut *conn, tenant, "for update").await?;
    // What was revoked stays on the list until it is over by more than this machine's clock.
    sqlx::query(
        "delete from certificate where tenant = $1 and not_after <= $2 and not_after <= (select vouched_at from witness)",
    )
        .bind(tenant.as_str())
        .bind(sql(now))
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    let rows = sqlx::query(
        "select serial, revoked_at from certificate \
         where tenant = $1 and authority = $2 and revoked_at is not null order by revoked_at, serial",
    )
    .bind(tenant.as_str())
    .bind(OWN)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let list = own.list(&rows, now)?;
    sqlx::query("update authority set revocations = $3 where tenant = $1 and name = $2")
        .bind(tenant.as_str())
        .bind(OWN)
        .bind(list)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    change::authorities(conn, tenant).await
}

/// The tenant's own authority with its key open.
struct Own {
    certificate: Vec<u8>,
    not_after: Timestamp,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Own {
    async fn load(store: &PostgresStore, conn: &mut PgConnection, tenant: &TenantId, lock: &str) -> Result<Self> {
        let row = sqlx::query(&format!(
            "select certificate, not_after, signing_key from authority where tenant = $1 and name = $2 {lock}"
        ))
        .bind(tenant.as_str())
        .bind(OWN)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("authority", format!("{tenant}/{OWN}")))?;
        let key: Vec<u8> = row.col("signing_key")?;
        Ok(Self {
            certificate: row.col("certificate")?,
            not_after: row.at("not_after")?,
            key: store
                .keyring
                .unseal(&place(tenant), &key)
                .map_err(sealed("signing key"))?,
        })
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>> {
        let key = KeyPair::try_from(self.key.as_slice()).map_err(broken)?;
        Issuer::from_ca_cert_der(&self.certificate.as_slice().into(), key).map_err(broken)
    }

    fn list(&self, revoked: &[PgRow], now: Timestamp) -> Result<Vec<u8>> {
        let revoked_certs = revoked
            .iter()
            .map(|row| {
                Ok(RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&row.col::<Vec<u8>>("serial")?),
                    revocation_time: moment(row.at("revoked_at")?)?,
                    reason_code: None,
                    invalidity_date: None,
                })
            })
            .collect::<Result<_>>()?;
        let list = CertificateRevocationListParams {
            this_update: moment(now)?,
            // It is written again when something is taken back; between, it stays right.
            next_update: moment(self.not_after)?,
            crl_number: SerialNumber::from(u64::try_from(now.as_millisecond()).unwrap_or(0)),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer()?).map_err(broken)?;
        Ok(list.der().to_vec())
    }
}

/// Where the signing key of a tenant's own authority is sealed.
fn place(tenant: &TenantId) -> String {
    format!("authority.signing_key/{tenant}/{OWN}")
}

/// 16 random bytes, positive and of full length (RFC 5280 §4.1.2.2 allows 20).
fn serial() -> std::result::Result<[u8; 16], KeyringError> {
    let mut serial: [u8; 16] = random()?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

fn later(now: Timestamp, days: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(24 * days))
        .unwrap_or(Timestamp::MAX)
}

fn moment(at: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|error| unreadable("time")(Box::new(error)))
}

fn broken(error: rcgen::Error) -> StoreError {
    unreadable("authority")(Box::new(error))
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let digits = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in digits.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
