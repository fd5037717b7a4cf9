//! Authorities that makers bring, and their revocation lists.

use crate::access_provision::named;
use crate::support::{morning, played, tenant};
use hub_core::actor::Actor;
use hub_store::StoreError;
use hub_store::access::{AccessChange, AccessStore};
use hub_store::conformance::door::{changes, is_refused};
use hub_store::credential::{AUTHORITIES_MAX, TenantCredentials};
use rcgen::{
    BasicConstraints, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

struct Maker {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn maker(name: &str, end_year: i32) -> Maker {
    let key = KeyPair::generate().unwrap();
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(end_year, 1, 1);
    let pem = params.self_signed(&key).unwrap().pem();
    Maker {
        issuer: Issuer::new(params, key),
        pem,
    }
}

impl Maker {
    fn list(&self, day: u8, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 2, day),
            next_update: date_time_ymd(2027, 1, 1),
            crl_number: SerialNumber::from(u64::from(day)),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

#[tokio::test]
async fn a_makers_authority_is_one_that_holds_and_stands_for_one_tenant() {
    let (_base, store) = played().await;
    let (acme, beta) = (tenant("acme"), tenant("beta"));
    let (own, expired) = (maker("Acme CA", 2040), maker("Old CA", 2021));
    let leaf = named("wm-1").self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let put = async |tenant, name, pem: &str| store.put_authority(tenant, name, pem.as_bytes(), morning()).await;
    is_refused(put(&acme, "ca", &leaf).await, "not one of an authority");
    is_refused(put(&acme, "ca", &expired.pem).await, "which is not now");
    is_refused(put(&acme, "ca", "-----BEGIN NONSENSE").await, "not PEM");
    is_refused(put(&acme, "hub", &own.pem).await, "own authority");
    put(&acme, "ca", &own.pem).await.unwrap();
    is_refused(put(&beta, "ca", &own.pem).await, "acme/ca");
    is_refused(put(&acme, "again", &own.pem).await, "acme/ca");
    put(&beta, "ca", &maker("Beta CA", 2040).pem).await.unwrap();
    assert_eq!(store.authorities().await.unwrap().len(), 2);
    let told = [AccessChange::Authorities(acme.clone()), AccessChange::Authorities(beta)];
    assert_eq!(changes(&store).await, told);
    let views = store
        .authority_views(&Actor::hub("test").within(Some(acme.clone())))
        .await
        .unwrap();
    assert_eq!(
        (views.len(), views[0].subject.as_str(), views[0].issues),
        (1, "CN=Acme CA", false)
    );
    store.remove_authority(&acme, "ca").await.unwrap();
    assert!(matches!(
        store.remove_authority(&acme, "ca").await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(store.authorities().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_authority_is_renewed_where_there_is_no_room_for_another() {
    let (_base, store) = played().await;
    let acme = tenant("acme");
    let put = async |name: &str, pem: &str| store.put_authority(&acme, name, pem.as_bytes(), morning()).await;
    for number in 0..AUTHORITIES_MAX {
        let name = format!("ca-{number}");
        put(&name, &maker(&name, 2040).pem).await.unwrap();
    }
    let renewed = maker("ca-3", 2041).pem;
    is_refused(put("one-more", &renewed).await, "which is the most");
    put("ca-3", &renewed).await.unwrap();
}

#[tokio::test]
async fn a_revocation_list_is_signed_by_its_authority_and_never_older_than_before() {
    let (_base, store) = played().await;
    let acme = tenant("acme");
    let (own, other) = (maker("Acme CA", 2040), maker("Acme CA", 2040));
    store
        .put_authority(&acme, "ca", own.pem.as_bytes(), morning())
        .await
        .unwrap();
    let put = async |list: &str| store.put_revocations(&acme, "ca", list.as_bytes(), morning()).await;
    is_refused(put(&other.list(10, &[7])).await, "not signed by");
    is_refused(put(&own.pem).await, "not a X509 CRL");
    assert_eq!(put(&own.list(10, &[7, 8])).await.unwrap(), 2);
    is_refused(put(&own.list(9, &[])).await, "older");
    assert_eq!(put(&own.list(11, &[7])).await.unwrap(), 1);
    let ahead = own.list(28, &[]);
    let early = "2026-02-20T00:00:00Z".parse().unwrap();
    is_refused(
        store.put_revocations(&acme, "ca", ahead.as_bytes(), early).await,
        "to come",
    );
    assert!(store.authorities().await.unwrap()[0].revocations.is_some());
    // A renewed certificate of the same key keeps the list; another key's list means nothing.
    store
        .put_authority(&acme, "ca", own.pem.as_bytes(), morning())
        .await
        .unwrap();
    assert!(store.authorities().await.unwrap()[0].revocations.is_some());
    store
        .put_authority(&acme, "ca", other.pem.as_bytes(), morning())
        .await
        .unwrap();
    assert_eq!(store.authorities().await.unwrap()[0].revocations, None);
}
