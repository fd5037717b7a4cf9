//! What the hub signs for devices that ask for a certificate.

use crate::support::{after, appliance, morning, played, tenant};
use hub_core::actor::Actor;
use hub_store::StoreError;
use hub_store::access::{AccessChange, AccessStore, Provisioned};
use hub_store::conformance::door::{asks, certificate, changes, claimant, device, is_refused, who};
use hub_store::credential::{DeviceCredentials, TenantCredentials};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use sqlx::Executor;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

/// A request for a certificate, whatever it says.
pub fn request() -> Option<Vec<u8>> {
    Some(csr(&named("x")).1)
}

fn csr(params: &CertificateParams) -> (KeyPair, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let request = params.serialize_request(&key).unwrap();
    (key, request.der().to_vec())
}

pub fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn der(pem: &str) -> Vec<u8> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents
}

#[tokio::test]
async fn a_request_is_signed_for_the_device_whatever_name_it_bears() {
    let (_base, store) = played().await;
    let line = claimant(&store, "line", 9, true).await;
    let mut wishes = named("somebody-else");
    wishes.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let (key, request) = csr(&wishes);
    let given = store
        .provision(&line, &asks("wm-9", Some(request.clone())), morning())
        .await
        .unwrap();
    let Provisioned::Certificate {
        certificate: own,
        authority,
    } = given
    else {
        panic!("not a certificate");
    };
    let (own, authority) = (der(&own), der(&authority));
    let (read, signer) = (
        X509Certificate::from_der(&own).unwrap().1,
        X509Certificate::from_der(&authority).unwrap().1,
    );
    assert_eq!(read.subject().to_string(), "CN=wm-9");
    assert!(read.verify_signature(Some(signer.public_key())).is_ok());
    assert!(key.public_key_raw() == &*read.public_key().subject_public_key.data);
    assert!(!read.is_ca() && signer.is_ca());
    let usage = read.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    let years = (read.validity().not_after.timestamp() - morning().as_second()) / (365 * 24 * 3600);
    assert_eq!(years, 5);
    assert!(read.raw_serial().len() == 16 && read.validity().not_before.timestamp() < morning().as_second());
    let trusted = store.authorities().await.unwrap();
    assert_eq!((trusted.len(), &trusted[0].certificate), (1, &authority));
    assert_eq!(changes(&store).await, [AccessChange::Authorities(tenant("acme"))]);
    assert_eq!(who(&store, &[certificate("acme", "wm-9")]).await, ["acme/wm-9"]);
    // Another device: the same authority, another serial.
    let given = store
        .provision(&line, &asks("wm-8", Some(request)), morning())
        .await
        .unwrap();
    let Provisioned::Certificate {
        certificate: other,
        authority: same,
    } = given
    else {
        panic!("not a certificate");
    };
    assert_eq!(der(&same), authority);
    assert_ne!(
        X509Certificate::from_der(&der(&other)).unwrap().1.raw_serial(),
        read.raw_serial()
    );
}

#[tokio::test]
async fn what_is_no_honest_request_is_refused() {
    let (base, store) = played().await;
    let line = claimant(&store, "line", 9, true).await;
    let mut authority = named("wm-9");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (_, wants_authority) = csr(&authority);
    let (_, honest) = csr(&named("wm-9"));
    let mut forged = honest.clone();
    *forged.last_mut().unwrap() ^= 1;
    let cases = [
        (wants_authority, "asks for an authority"),
        (forged, "not taken"),
        (honest[..40].to_vec(), "not taken"),
        (vec![0; 9000], "at most"),
    ];
    for (request, why) in cases {
        is_refused(
            store.provision(&line, &asks("wm-9", Some(request)), morning()).await,
            why,
        );
    }
    assert_eq!(
        base.number("select count(*) from authority").await,
        0,
        "made at first need"
    );
    assert_eq!(
        base.number("select count(*) from appliance where device = 'wm-9'")
            .await,
        0
    );
}

#[tokio::test]
async fn what_the_hub_signed_is_on_its_list_when_replaced_or_revoked() {
    let (base, store) = played().await;
    let line = claimant(&store, "line", 9, true).await;
    let serial = |given: Provisioned| match given {
        Provisioned::Certificate { certificate, .. } => X509Certificate::from_der(&der(&certificate))
            .unwrap()
            .1
            .raw_serial()
            .to_vec(),
        Provisioned::Own | Provisioned::Secret(_) => panic!("not a certificate"),
    };
    let list = async || -> Vec<Vec<u8>> {
        let authority = store.authorities().await.unwrap().remove(0);
        let Some(list) = authority.revocations else {
            return vec![];
        };
        let signer = X509Certificate::from_der(&authority.certificate).unwrap().1;
        let list = CertificateRevocationList::from_der(&list).unwrap().1;
        list.verify_signature(signer.public_key()).unwrap();
        list.iter_revoked_certificates()
            .map(|one| one.raw_serial().to_vec())
            .collect()
    };
    let first = serial(
        store
            .provision(&line, &asks("wm-9", request()), morning())
            .await
            .unwrap(),
    );
    assert_eq!(list().await, Vec::<Vec<u8>>::new());
    let second = serial(
        store
            .provision(&line, &asks("wm-9", request()), after(1))
            .await
            .unwrap(),
    );
    assert_eq!(list().await, std::slice::from_ref(&first));
    changes(&store).await;
    store
        .revoke_device(&tenant("acme"), &device("wm-9"), true, after(2))
        .await
        .unwrap();
    assert_eq!(list().await, [first, second]);
    let id = appliance(&store, "acme", "wm-9").await;
    let told = [AccessChange::Authorities(tenant("acme")), AccessChange::Device(id)];
    assert_eq!(changes(&store).await, told);
    let views = store.authority_views(&Actor::hub("test")).await.unwrap();
    assert_eq!(
        (views[0].revoked, views[0].issues, views[0].name.as_str()),
        (Some(2), true, "hub")
    );
    is_refused(
        store.put_revocations(&tenant("acme"), "hub", b"x", after(2)).await,
        "itself",
    );
    // Its key is sealed: not the one that signs, in the form in which it is kept elsewhere.
    base.sql()
        .await
        .execute("update authority set signing_key = '\\x00'")
        .await
        .unwrap();
    let told = store.provision(&line, &asks("wm-7", request()), after(3)).await;
    assert!(matches!(told, Err(StoreError::Unreadable { .. })), "{told:?}");
}
