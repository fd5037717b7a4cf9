//! What people, programs, lines and devices come in with, of each kind, and what of it ends.

use super::{day, device, tenant};
use hub_core::access::derived_secret;
use hub_core::actor::Actor;
use hub_core::id::AccountId;
use hub_core::site::Device;
use hub_store::access::{AccessStore, Claimant, Credential, Principal, ProvisionRequest};
use hub_store::account::{Account, AccountStore};
use hub_store::credential::{ClaimGrant, DeviceCredentials, TenantCredentials};
use hub_store::site::SiteStore;
use hub_store_postgres::PostgresStore;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use uuid::Uuid;

pub const INTEGRATOR_TOKEN: &str = "int_0123456789abcdef0123456789abcdef";
pub const CLAIM_TOKEN: &str = "claim_0123456789abcdef0123456789abcdef";
/// The present key of the group `line-7`.
pub const GROUP_KEY: [u8; 32] = [8; 32];

/// On the first day.
pub async fn give(store: &PostgresStore) {
    account(store).await;
    programs(store).await;
    secrets(store).await;
    groups(store).await;
    makers_authority(store).await;
    provisioned(store).await;
}

async fn account(store: &PostgresStore) {
    let admin = Account {
        id: AccountId(Uuid::from_u128(0xadd)),
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$bm8gcGFzc3dvcmQ$dGhpcyBpcyB0aGUgaGFzaCBvZiBub3RoaW5nIQ"
            .to_owned(),
        actor: Actor::administrator("admin"),
    };
    assert!(store.create_first_account(&admin, day(0)).await.unwrap());
    for (token, until) in [([1; 32], day(90)), ([2; 32], day(2))] {
        store.open_session(token, admin.id, until, day(0)).await.unwrap();
    }
}

async fn programs(store: &PostgresStore) {
    let acme = tenant("acme");
    let filters = ["d/+/t".to_owned(), "d/+/e".to_owned()];
    let old = "int_ffffffffffffffffffffffffffffffff";
    for (name, token) in [("erp", INTEGRATOR_TOKEN), ("erp-before", old)] {
        store
            .add_integrator(&acme, name, token, &filters, day(0))
            .await
            .unwrap();
    }
    store.revoke_integrator(&acme, "erp-before").await.unwrap();
    let grant = ClaimGrant {
        profile: "washing-machine".to_owned(),
        expires_at: day(3_000),
        uses: 100,
        replace: false,
    };
    let old = "claim_ffffffffffffffffffffffffffffffff";
    for (name, token) in [("line-3", CLAIM_TOKEN), ("line-2", old)] {
        store
            .add_claim_credential(&acme, name, token, &grant, day(0))
            .await
            .unwrap();
    }
    store.revoke_claim_credential(&acme, "line-2").await.unwrap();
}

async fn secrets(store: &PostgresStore) {
    let acme = tenant("acme");
    store
        .add_device(&acme, &declared("wm-8"), "secret-wm-8", day(0))
        .await
        .unwrap();
    store
        .rotate_secret(&acme, &device("wm-2"), "second-wm-2", Some(day(60)), day(1))
        .await
        .unwrap();
}

async fn groups(store: &PostgresStore) {
    let acme = tenant("acme");
    store
        .add_group(&acme, "line-7", &[7; 32], "washing-machine", true, day(0))
        .await
        .unwrap();
    store
        .join_group(&acme, &device("wm-31"), "line-7", day(0))
        .await
        .unwrap();
    store.rotate_group(&acme, "line-7", &GROUP_KEY).await.unwrap();
    let enrols = Credential::Secret {
        tenant: acme,
        device: device("wm-32"),
        secret: derived_secret(&GROUP_KEY, &device("wm-32")),
    };
    let who = store.identify(&[enrols], day(1)).await.unwrap();
    assert!(matches!(who[..], [Some(Principal::Device(..))]));
}

async fn makers_authority(store: &PostgresStore) {
    let acme = tenant("acme");
    let key = KeyPair::generate().unwrap();
    let mut params = named("Acme CA for tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    let pem = params.self_signed(&key).unwrap().pem();
    store
        .put_authority(&acme, "maker", pem.as_bytes(), day(0))
        .await
        .unwrap();
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 2),
        next_update: date_time_ymd(2060, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(7),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::new(params, key)).unwrap().pem().unwrap();
    let revoked = store.put_revocations(&acme, "maker", list.as_bytes(), day(0)).await;
    assert_eq!(revoked.unwrap(), 1);
    store.declare_device(&acme, &declared("wm-30"), day(0)).await.unwrap();
}

/// Devices that the line gave a secret and certificates; one of them is let out again.
async fn provisioned(store: &PostgresStore) {
    let line = Claimant {
        tenant: tenant("acme"),
        name: "line-3".to_owned(),
        profile: "washing-machine".to_owned(),
    };
    for name in ["wm-20", "wm-21", "wm-22"] {
        let csr = (name != "wm-20").then(|| {
            let request = named(name).serialize_request(&KeyPair::generate().unwrap()).unwrap();
            request.der().to_vec()
        });
        let request = ProvisionRequest {
            device: device(name),
            csr,
            secret: None,
        };
        store.provision(&line, &request, day(2)).await.unwrap();
    }
    store
        .revoke_device(&line.tenant, &device("wm-22"), true, day(3))
        .await
        .unwrap();
}

fn declared(id: &str) -> Device {
    Device {
        id: device(id),
        profile: "washing-machine".to_owned(),
        model: None,
        owner: None,
        service_point: None,
        secret_sha256: None,
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
