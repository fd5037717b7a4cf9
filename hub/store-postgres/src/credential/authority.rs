//! Authorities that a tenant brings, and their revocation lists (RFC 5280).

use super::check_room;
use crate::access::change;
use crate::access::issue::OWN;
use crate::certificate::{key_sha256, read};
use crate::row::{Columns, db, not_found, sql, unreadable};
use crate::store::PostgresStore;
use hub_core::actor::Actor;
use hub_core::id::TenantId;
use hub_store::check;
use hub_store::credential::{AUTHORITIES_MAX, AuthorityView};
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

/// Longest certificate, in bytes.
const CERTIFICATE_LEN_MAX: usize = 16 * 1024;
/// Longest revocation list, in bytes: some 50,000 certificates.
const LIST_LEN_MAX: usize = 2 * 1024 * 1024;
/// A list may be so many seconds ahead of the hub's clock.
const AHEAD_MAX_S: i64 = 3600;

pub(super) async fn put(
    store: &PostgresStore,
    tenant: &TenantId,
    name: &str,
    certificate: &[u8],
    now: Timestamp,
) -> Result<()> {
    check::credential_name(name)?;
    if name == OWN {
        return Err(StoreError::Refused(format!(
            "{OWN} is the name of the hub's own authority; take another"
        )));
    }
    let der = der(certificate, "CERTIFICATE", CERTIFICATE_LEN_MAX)?;
    let not_after = check(&read(&der)?, now)?;
    let key = key_sha256(&der)?;
    let mut tx = store.begin().await?;
    check_room(&mut tx, "authority", tenant, name, AUTHORITIES_MAX).await?;
    check_key(&mut tx, tenant, name, &key).await?;
    // A list stays only with the key that signed it.
    sqlx::query(
        "insert into authority (tenant, name, certificate, key_sha256, not_after) values ($1, $2, $3, $4, $5) \
         on conflict (tenant, name) do update set certificate = $3, key_sha256 = $4, not_after = $5, \
           revocations = case when authority.key_sha256 = $4 then authority.revocations end",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(der)
    .bind(&key[..])
    .bind(sql(not_after))
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    change::authorities(&mut tx, tenant).await?;
    change::commit(store, tx).await
}

pub(super) async fn put_revocations(
    store: &PostgresStore,
    tenant: &TenantId,
    name: &str,
    list: &[u8],
    now: Timestamp,
) -> Result<usize> {
    let der = der(list, "X509 CRL", LIST_LEN_MAX)?;
    let mut tx = store.begin().await?;
    let row = sqlx::query(
        "select certificate, revocations, signing_key is not null as issues from authority \
         where tenant = $1 and name = $2 for update",
    )
    .bind(tenant.as_str())
    .bind(name)
    .fetch_optional(&mut *tx)
    .await
    .map_err(db)?
    .ok_or_else(|| not_found("authority", format!("{tenant}/{name}")))?;
    if row.col::<bool>("issues")? {
        return Err(StoreError::Refused(
            "the hub writes the list of its own authority itself; revoke the device instead".to_owned(),
        ));
    }
    let before: Option<Vec<u8>> = row.col("revocations")?;
    let revoked = check_list(&row.col::<Vec<u8>>("certificate")?, &der, before.as_deref(), now)?;
    sqlx::query("update authority set revocations = $3 where tenant = $1 and name = $2")
        .bind(tenant.as_str())
        .bind(name)
        .bind(der)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    change::authorities(&mut tx, tenant).await?;
    change::commit(store, tx).await?;
    Ok(revoked)
}

pub(super) async fn remove(store: &PostgresStore, tenant: &TenantId, name: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    let removed = sqlx::query("delete from authority where tenant = $1 and name = $2")
        .bind(tenant.as_str())
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    if removed.rows_affected() == 0 {
        return Err(not_found("authority", format!("{tenant}/{name}")));
    }
    change::authorities(&mut tx, tenant).await?;
    change::commit(store, tx).await
}

pub(super) async fn list(store: &PostgresStore, actor: &Actor) -> Result<Vec<AuthorityView>> {
    let mut tx = store.begin_scoped(actor).await?;
    let rows = sqlx::query(
        "select tenant, name, certificate, not_after, revocations, signing_key is not null as issues from authority \
         where ($1::text is null or tenant = $1) order by tenant, name",
    )
    .bind(actor.tenant())
    .fetch_all(&mut *tx)
    .await
    .map_err(db)?;
    rows.iter().map(view).collect()
}

fn view(row: &PgRow) -> Result<AuthorityView> {
    let certificate: Vec<u8> = row.col("certificate")?;
    let revoked = row
        .col::<Option<Vec<u8>>>("revocations")?
        .map(|list| read_list(&list).map(|list| list.iter_revoked_certificates().count()))
        .transpose()?;
    Ok(AuthorityView {
        tenant: row.word("tenant")?,
        name: row.col("name")?,
        subject: read(&certificate)?.subject().to_string(),
        not_after: row.at("not_after")?,
        revoked: revoked.map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
        issues: row.col("issues")?,
    })
}

/// An authority says which tenant a certificate belongs to, so that it stands for one authority of one tenant only.
async fn check_key(conn: &mut PgConnection, tenant: &TenantId, name: &str, key: &[u8; 32]) -> Result<()> {
    let taken: Option<(String, String)> =
        sqlx::query_as("select tenant, name from authority where key_sha256 = $1 and (tenant, name) <> ($2, $3)")
            .bind(&key[..])
            .bind(tenant.as_str())
            .bind(name)
            .fetch_optional(conn)
            .await
            .map_err(db)?;
    match taken {
        None => Ok(()),
        Some((tenant, name)) => Err(StoreError::Refused(format!(
            "this authority's key is known as {tenant}/{name} already, and may stand for one tenant only"
        ))),
    }
}

/// PEM (RFC 7468) or DER.
fn der(given: &[u8], label: &str, len_max: usize) -> Result<Vec<u8>> {
    if given.len() > 2 * len_max {
        return Err(refused(format!(
            "{label} of {} bytes is longer than {len_max}",
            given.len()
        )));
    }
    if !given.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(given.to_vec());
    }
    match parse_x509_pem(given) {
        Ok((_, pem)) if pem.label == label => Ok(pem.contents),
        Ok((_, pem)) => Err(refused(format!("the file holds a {}, not a {label}", pem.label))),
        Err(error) => Err(refused(format!("the file is not PEM: {error}"))),
    }
}

fn read_list(der: &[u8]) -> Result<CertificateRevocationList<'_>> {
    match CertificateRevocationList::from_der(der) {
        Ok(([], list)) => Ok(list),
        Ok(_) => Err(refused("the revocation list has bytes after its end".to_owned())),
        Err(error) => Err(refused(format!("this is not a revocation list: {error}"))),
    }
}

/// Whether it is an authority's and holds now; its end.
fn check(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<Timestamp> {
    let unreadable = |error: x509_parser::error::X509Error| refused(format!("the certificate does not read: {error}"));
    let is_authority = certificate
        .basic_constraints()
        .map_err(unreadable)?
        .is_some_and(|c| c.value.ca);
    let may_sign = certificate
        .key_usage()
        .map_err(unreadable)?
        .is_none_or(|usage| usage.value.key_cert_sign());
    if !is_authority || !may_sign {
        return Err(refused(
            "the certificate is not one of an authority (basicConstraints CA:TRUE, keyUsage keyCertSign); give the \
             certificate that signs the devices' ones, not a device's own"
                .to_owned(),
        ));
    }
    if !certificate.validity().is_valid_at(moment(now)?) {
        return Err(refused(format!(
            "the certificate holds from {} to {}, which is not now",
            certificate.validity().not_before,
            certificate.validity().not_after
        )));
    }
    let end = certificate.validity().not_after.timestamp();
    Ok(Timestamp::from_second(end).unwrap_or(Timestamp::MAX))
}

/// Whether the authority signed the list, and it is not older than the one before; how many certificates are on it.
fn check_list(authority: &[u8], list: &[u8], before: Option<&[u8]>, now: Timestamp) -> Result<usize> {
    let (authority, list) = (read(authority)?, read_list(list)?);
    let may_sign = authority
        .key_usage()
        .ok()
        .flatten()
        .is_none_or(|usage| usage.value.crl_sign());
    let signed =
        list.issuer().as_raw() == authority.subject().as_raw() && list.verify_signature(authority.public_key()).is_ok();
    if !signed || !may_sign {
        return Err(refused(format!(
            "the revocation list is not signed by {}, or that one may not sign lists (keyUsage cRLSign)",
            authority.subject()
        )));
    }
    let at = list.last_update().timestamp();
    if at > now.as_second().saturating_add(AHEAD_MAX_S) {
        return Err(refused(format!(
            "the revocation list is of {}, which is to come; check the clocks",
            list.last_update()
        )));
    }
    if let Some(before) = before {
        let before = read_list(before)?.last_update();
        if before.timestamp() > at {
            return Err(refused(format!(
                "the revocation list is of {}, older than the one there ({before})",
                list.last_update()
            )));
        }
    }
    Ok(list.iter_revoked_certificates().count())
}

fn moment(now: Timestamp) -> Result<ASN1Time> {
    ASN1Time::from_timestamp(now.as_second()).map_err(|error| unreadable("time")(Box::new(error)))
}

fn refused(why: String) -> StoreError {
    StoreError::Refused(why)
}
