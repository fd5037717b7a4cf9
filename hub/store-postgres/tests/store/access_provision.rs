//! Devices that ask for their credential, and what the hub signs for them.

use crate::access::{certificate, changes, device, secret, token, who};
use crate::support::{after, appliance, morning, played, tenant};
use hub_store::access::{AccessChange, AccessStore, Claimant, Credential, Principal, ProvisionRequest, Provisioned};
use hub_store::credential::{ClaimGrant, DeviceCredentials, TenantCredentials};
use hub_store::{Scope, StoreError};
use hub_store_postgres::PostgresStore;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use sqlx::Executor;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

fn grant(uses: u32, replace: bool) -> ClaimGrant {
    ClaimGrant {
        profile: "washing-machine".into(),
        expires_at: after(60),
        uses,
        replace,
    }
}

/// A claim credential, as the front door finds it.
pub async fn claimant(store: &PostgresStore, name: &str, uses: u32, replace: bool) -> Claimant {
    let text = token(&format!("claim_{name}"));
    let acme = tenant("acme");
    store
        .add_claim_credential(&acme, name, &text, &grant(uses, replace), morning())
        .await
        .unwrap();
    match store
        .identify(&[Credential::Token(text)], morning())
        .await
        .unwrap()
        .remove(0)
    {
        Some(Principal::Claimant(claimant)) => claimant,
        other => panic!("{other:?}"),
    }
}

pub fn asks(name: &str, csr: Option<Vec<u8>>) -> ProvisionRequest {
    ProvisionRequest {
        device: device(name),
        csr,
    }
}

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

pub fn is_refused<T: std::fmt::Debug>(told: Result<T, StoreError>, why: &str) {
    match told {
        Err(StoreError::Refused(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("{other:?} instead of {why}"),
    }
}

#[tokio::test]
async fn a_device_gets_a_secret_once_unless_it_may_be_replaced() {
    let (base, store) = played().await;
    let line = claimant(&store, "line", 2, false).await;
    let Provisioned::Secret(first) = store.provision(&line, &asks("wm-9", None), morning()).await.unwrap() else {
        panic!("not a secret");
    };
    assert_eq!(who(&store, &[secret("acme", "wm-9", &first)]).await, ["acme/wm-9"]);
    is_refused(
        store.provision(&line, &asks("wm-9", None), morning()).await,
        "has a credential already",
    );
    is_refused(
        store.provision(&line, &asks("wm-1", None), morning()).await,
        "has a credential already",
    );
    assert_eq!(
        base.number("select uses_left from claim_credential where name = 'line'")
            .await,
        1
    );
    let repair = claimant(&store, "repair", 5, true).await;
    let Provisioned::Secret(second) = store.provision(&repair, &asks("wm-9", None), morning()).await.unwrap() else {
        panic!("not a secret");
    };
    let id = appliance(&store, "acme", "wm-9").await;
    assert_eq!(changes(&store).await, [AccessChange::Device(id)]);
    let shown = [secret("acme", "wm-9", &first), secret("acme", "wm-9", &second)];
    assert_eq!(who(&store, &shown).await, ["", "acme/wm-9"]);
    store
        .revoke_device(&tenant("acme"), &device("wm-9"), true, morning())
        .await
        .unwrap();
    is_refused(
        store.provision(&repair, &asks("wm-9", None), morning()).await,
        "is revoked",
    );
    // The other tenant's device of that name is another device.
    let stored = "select count(*) from appliance where tenant = 'beta' and device = 'wm-9'";
    assert_eq!(base.number(stored).await, 0);
}

#[tokio::test]
async fn a_claim_credential_ends_by_use_by_time_and_by_revocation() {
    let (base, store) = played().await;
    let line = claimant(&store, "line", 1, false).await;
    store.provision(&line, &asks("a", None), morning()).await.unwrap();
    is_refused(store.provision(&line, &asks("b", None), morning()).await, "used up");
    assert_eq!(
        base.number("select count(*) from appliance where device = 'b'").await,
        0
    );
    let shown = [Credential::Token(token("claim_line"))];
    assert_eq!(who(&store, &shown).await, [""]);
    let timed = claimant(&store, "timed", 9, false).await;
    is_refused(store.provision(&timed, &asks("b", None), after(60)).await, "over");
    let gone = claimant(&store, "gone", 9, false).await;
    store.revoke_claim_credential(&tenant("acme"), "gone").await.unwrap();
    let (tenant, name) = (tenant("acme"), "gone".to_owned());
    assert_eq!(changes(&store).await, [AccessChange::Claimant { tenant, name }]);
    is_refused(store.provision(&gone, &asks("b", None), morning()).await, "revoked");
    let listed = store.claim_credentials(&Scope::All).await.unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|c| (c.name.as_str(), c.uses_left, c.revoked))
        .collect();
    assert_eq!(told, [("gone", 9, true), ("line", 0, false), ("timed", 9, false)]);
}

/// One use left and many devices at the same moment: one is served, and no other is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_use_serves_one_device() {
    let (base, store) = played().await;
    let store = std::sync::Arc::new(store);
    let line = claimant(&store, "line", 1, false).await;
    let asking: Vec<_> = (0..6)
        .map(|n| {
            let (store, line) = (store.clone(), line.clone());
            tokio::spawn(async move {
                store
                    .provision(&line, &asks(&format!("n{n}"), None), morning())
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut served = 0;
    for one in asking {
        served += u32::from(one.await.unwrap());
    }
    assert_eq!(served, 1);
    assert_eq!(
        base.number("select count(*) from appliance where device like 'n_'")
            .await,
        1
    );
    assert_eq!(base.number("select uses_left from claim_credential").await, 0);
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
        Provisioned::Secret(_) => panic!("not a certificate"),
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
    let views = store.authority_views(&Scope::All).await.unwrap();
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
