//! TLS 1.2 and 1.3, certificates of devices, and what goes wrong in handshakes.

use crate::client::{Raw, connect};
use crate::{Door, eventually};
use hub_broker::{ACCESS_WATCH, TlsFiles, TlsListen};
use hub_core::id::{ApplianceId, TenantId};
use hub_store::access::Authority;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests_mqtt::{frame, publish};
use tokio::task::block_in_place;

const ONE: &[u8] = br#"{"pump_current": 1.5}"#;
const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate authority.
pub struct Ca {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Ca {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Self { certificate, issuer }
    }

    fn leaf(&self, names: Vec<String>, common_name: &str, serial: u64, usage: ExtendedKeyUsagePurpose) -> Leaf {
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf { certificate, key }
    }

    pub fn server(&self) -> Leaf {
        self.leaf(vec!["localhost".into()], "hub", 1, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn device(&self, name: &str, serial: u64) -> Leaf {
        self.leaf(Vec::new(), name, serial, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn authority(&self, tenant: &str, revoked: Option<u64>) -> Authority {
        let revocations = revoked.map(|serial| {
            let revoked = RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: date_time_ymd(2024, 1, 1),
                reason_code: None,
                invalidity_date: None,
            };
            let params = CertificateRevocationListParams {
                this_update: date_time_ymd(2024, 1, 1),
                next_update: date_time_ymd(2099, 1, 1),
                crl_number: SerialNumber::from(1),
                issuing_distribution_point: None,
                revoked_certs: vec![revoked],
                key_identifier_method: KeyIdMethod::Sha256,
            };
            params.signed_by(&self.issuer).unwrap().der().to_vec()
        });
        Authority {
            tenant: TenantId::new(tenant).unwrap(),
            name: "root".into(),
            certificate: self.certificate.der().to_vec(),
            revocations,
        }
    }
}

/// A door with TLS.
pub struct TlsDoor {
    pub door: Door,
    pub addr: SocketAddr,
    pub ca: Ca,
    files: TlsFiles,
    _folder: TempDir,
}

impl TlsDoor {
    pub async fn open(authorities: Vec<Authority>) -> Self {
        Self::open_with(authorities, Duration::from_secs(1)).await
    }

    async fn open_with(authorities: Vec<Authority>, handshake_patience: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::new("test root");
        let files = TlsFiles {
            chain: folder.path().join("chain.pem"),
            key: folder.path().join("key.pem"),
        };
        write(&files, &ca.server());
        let listen = TlsListen {
            listen: "127.0.0.1:0".parse().unwrap(),
            files: files.clone(),
        };
        let change = |config: &mut hub_broker::BrokerConfig| {
            config.listen_tls = Some(listen);
            config.handshake_patience = handshake_patience;
        };
        let door = Door::open_with_authorities(authorities, change).await;
        let addr = door.broker.local_addr_tls().unwrap();
        Self {
            door,
            addr,
            ca,
            files,
            _folder: folder,
        }
    }

    pub fn client(&self) -> Arc<ClientConfig> {
        self.config(rustls::ALL_VERSIONS, None)
    }

    fn with(&self, leaf: &Leaf) -> Arc<ClientConfig> {
        self.config(rustls::ALL_VERSIONS, Some(leaf))
    }

    fn config(&self, versions: &[&'static SupportedProtocolVersion], leaf: Option<&Leaf>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match leaf {
            None => builder.with_no_client_auth(),
            Some(Leaf { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder
                    .with_client_auth_cert(vec![certificate.der().clone()], key)
                    .unwrap()
            }
        })
    }
}

fn write(files: &TlsFiles, leaf: &Leaf) {
    std::fs::write(&files.chain, leaf.certificate.pem()).unwrap();
    std::fs::write(&files.key, leaf.key.serialize_pem()).unwrap();
}

/// A client over TLS that waits in the thread that it is called on.
pub struct TlsRaw(pub StreamOwned<ClientConnection, TcpStream>);

impl TlsRaw {
    pub fn open(addr: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(addr)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(config, name).unwrap(), tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(stream))
    }

    /// The first bytes that come after `bytes` were sent.
    fn say(&mut self, bytes: &[u8], answer: usize) -> std::io::Result<Vec<u8>> {
        self.0.write_all(bytes)?;
        self.0.flush()?;
        let mut buffer = vec![0; answer];
        self.0.read_exact(&mut buffer)?;
        Ok(buffer)
    }

    fn log_in(&mut self, user_name: &str, password: &str) -> std::io::Result<Vec<u8>> {
        self.say(&connect(user_name, password, "same-id", 60), 4)
    }

    /// Waits for the end of the connection, half as long as the broker waits before it asks for changes again; a read
    /// that runs out of time has seen none.
    fn ends(&mut self) {
        self.0.sock.set_read_timeout(Some(ACCESS_WATCH / 2)).unwrap();
        let end = block_in_place(|| self.0.read(&mut [0; 16]));
        let late = matches!(&end, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(matches!(end, Ok(0) | Err(_)) && !late, "{end:?}");
    }

    fn report(&mut self, device: &str) {
        let acknowledged = self.say(&publish(&format!("d/{device}/j"), 7, ONE), 4).unwrap();
        assert_eq!(acknowledged, [0x40, 2, 0, 7]);
    }
}

/// A CONNECT without a user name.
fn anonymous() -> Vec<u8> {
    frame(0x10, b"\0\x04MQTT\x04\x02\0\x3C\0\x01x")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_tls() {
    let tls = TlsDoor::open(Vec::new()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        block_in_place(|| {
            let config = tls.config(&[version], None);
            // The second time by a ticket.
            for _ in 0..2 {
                let mut client = TlsRaw::open(tls.addr, Arc::clone(&config)).unwrap();
                assert_eq!(client.0.conn.protocol_version(), Some(version.version));
                assert_eq!(
                    client.log_in("acme/washer", "secret-of-washer").unwrap(),
                    [0x20, 2, 0, 0]
                );
                client.report("washer");
            }
        });
    }
    assert_eq!(tls.door.store.samples().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_listener_takes_its_own_kind_only() {
    let tls = TlsDoor::open(Vec::new()).await;
    let mut plain = Raw::open(tls.addr).await;
    plain.send(&connect("acme/washer", "secret-of-washer", "x", 60)).await;
    plain.expect_closed("plain text on the TLS listener").await;
    let refused = block_in_place(|| TlsRaw::open(tls.door.addr, tls.client()).is_err());
    assert!(refused, "TLS on the plain listener");
    eventually("counted", || {
        tls.door.closed("plain_on_tls") == 1 && tls.door.closed("tls_on_plain") == 1
    })
    .await;
}

const HALF_OPEN: u64 = 300;

/// Handshakes that stop at nothing, after a beginning, or in their first message.
async fn half_open(addr: SocketAddr) -> Vec<Raw> {
    let mut half_open = Vec::new();
    for n in 0..HALF_OPEN {
        let mut raw = Raw::open(addr).await;
        match n % 3 {
            0 => {}
            1 => raw.send(&[0x16, 3, 1]).await,
            _ => raw.send(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3, 7, 7, 7]).await,
        }
        half_open.push(raw);
    }
    half_open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_disturb_nobody_and_end() {
    // None of these ends by itself: an honest client is served beside all of them.
    let tls = TlsDoor::open_with(Vec::new(), Duration::from_secs(3_600)).await;
    let beside = half_open(tls.addr).await;
    eventually("all are in", || tls.door.connections() == HALF_OPEN).await;
    block_in_place(|| {
        let mut client = TlsRaw::open(tls.addr, tls.client()).unwrap();
        client.log_in("acme/washer", "secret-of-washer").unwrap();
        client.report("washer");
        assert!(tls.door.connections() > HALF_OPEN);
    });
    drop(beside);
    // And here they end.
    let tls = TlsDoor::open(Vec::new()).await;
    let mut half_open = half_open(tls.addr).await;
    eventually("cut", || tls.door.closed("handshake_timeout") == HALF_OPEN).await;
    for raw in &mut half_open {
        while raw.packet().await.is_some() {}
    }
    let mut garbage = Raw::open(tls.addr).await;
    garbage.send(&[0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8]).await;
    while garbage.packet().await.is_some() {}
    eventually("counted", || tls.door.closed("tls") == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let tls = TlsDoor::open(Vec::new()).await;
    let seen = || {
        block_in_place(|| {
            let client = TlsRaw::open(tls.addr, tls.client()).unwrap();
            client.0.conn.peer_certificates().unwrap()[0].to_vec()
        })
    };
    let first = seen();
    let mut old = block_in_place(|| TlsRaw::open(tls.addr, tls.client()).unwrap());
    block_in_place(|| old.log_in("acme/washer", "secret-of-washer").unwrap());
    let next = tls.ca.server();
    write(&tls.files, &next);
    let deadline = Instant::now() + PATIENCE;
    while seen() == first {
        assert!(Instant::now() < deadline, "the new certificate is not used");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(seen(), next.certificate.der().to_vec());
    block_in_place(|| old.report("washer"));
    let counters = tls.door.broker.counters();
    let refused = || counters.certificates_refused.load(Ordering::Relaxed);
    let before = refused();
    std::fs::write(&tls.files.chain, "nonsense").unwrap();
    eventually("the nonsense is read", || refused() > before).await;
    assert_eq!(seen(), next.certificate.der().to_vec(), "the last good one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_names_tenant_and_device() {
    let (acme, globex, both, stranger) = (Ca::new("acme"), Ca::new("globex"), Ca::new("both"), Ca::new("stranger"));
    let authorities = vec![
        acme.authority("acme", Some(9)),
        globex.authority("globex", None),
        both.authority("acme", None),
        both.authority("globex", None),
    ];
    let tls = TlsDoor::open(authorities).await;
    let open = |leaf: &Leaf| {
        let config = tls.with(leaf);
        block_in_place(|| {
            TlsRaw::open(tls.addr, config).and_then(|mut client| client.say(&anonymous(), 4).map(|a| (client, a)))
        })
    };
    let (mut washer, answer) = open(&acme.device("washer", 2)).unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0], "without a user name");
    block_in_place(|| washer.report("washer"));
    let (mut other, _) = open(&globex.device("washer", 2)).unwrap();
    block_in_place(|| other.report("washer"));
    assert_eq!(
        tls.door.store.samples().iter().map(|(a, _)| a.0).collect::<Vec<_>>(),
        [1, 2]
    );

    assert!(open(&acme.device("washer", 9)).is_err(), "revoked");
    assert!(open(&stranger.device("washer", 3)).is_err(), "of nobody's authority");
    assert!(open(&both.device("washer", 4)).is_err(), "of two tenants' authority");
    assert!(open(&acme.device("no such/name", 5)).is_err(), "no device name");
    eventually("counted", || tls.door.closed("certificate") == 4).await;
    let unknown = open(&acme.device("unknown", 6)).unwrap().1;
    assert_eq!(unknown, [0x20, 2, 0, 5], "a device that the store does not have");

    let config = tls.with(&acme.device("washer", 7));
    let answer = block_in_place(|| {
        TlsRaw::open(tls.addr, config)
            .unwrap()
            .log_in("acme/dryer", "secret-of-dryer")
    });
    assert_eq!(answer.unwrap(), [0x20, 2, 0, 5], "a user name that does not agree");
    let mut plain = block_in_place(|| TlsRaw::open(tls.addr, tls.client()).unwrap());
    let answer = block_in_place(|| plain.log_in("acme/dryer", "secret-of-dryer"));
    assert_eq!(answer.unwrap(), [0x20, 2, 0, 0], "a certificate is not asked for");

    // The authority's new list: who is connected by it is cut, and does not come in again, not even by a ticket.
    let device = acme.device("washer", 42);
    let config = tls.with(&device);
    let mut client = block_in_place(|| TlsRaw::open(tls.addr, Arc::clone(&config)).unwrap());
    block_in_place(|| client.say(&anonymous(), 4).unwrap());
    let before = tls.door.access_asked().await;
    tls.door.store.set_authorities(vec![acme.authority("acme", Some(42))]);
    client.ends();
    // As soon as the broker hears of it: no other question was asked in between.
    assert!(tls.door.access_asked().await <= before + 1);
    let again = block_in_place(|| {
        TlsRaw::open(tls.addr, Arc::clone(&config)).and_then(|mut client| client.say(&anonymous(), 4))
    });
    assert!(again.is_err(), "the new list was in use before anyone was cut");
    block_in_place(|| plain.report("dryer"));
    assert_eq!(tls.door.store.samples().last().unwrap().0, ApplianceId(3));
}

/// The list cannot be read yet when it is told: who gets in by the old one, or waits to, is cut when it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_in_by_an_old_list_does_not_stay() {
    let acme = Ca::new("acme");
    let tls = TlsDoor::open(vec![acme.authority("acme", None)]).await;
    let config = tls.with(&acme.device("washer", 42));
    let open = || {
        block_in_place(|| {
            let mut client = TlsRaw::open(tls.addr, Arc::clone(&config))?;
            client.say(&anonymous(), 4).map(|_| client)
        })
    };
    let mut first = open().unwrap();
    tls.door.store.change(|s| s.authorities_away = true);
    tls.door.store.set_authorities(vec![acme.authority("acme", Some(42))]);
    // Before the list can be read.
    first.ends();
    let mut waits = block_in_place(|| TlsRaw::open(tls.addr, Arc::clone(&config)).unwrap());
    let mut second = open().expect("the old list is in use");
    // The broker tries again soon, and does not wait for the next change. Asked before the file below changes, since
    // the list is read again for that as well.
    let asked = || tls.door.store.with(|s| s.access_asked);
    let before = asked();
    let again = eventually("it tries again", || asked() > before + 1);
    let again = tokio::time::timeout(ACCESS_WATCH / 2, again).await;
    again.expect("it tries again soon");
    // A certificate file that cannot be used keeps nobody's access alive.
    std::fs::write(&tls.files.chain, "nonsense").unwrap();
    tls.door.store.change(|s| s.authorities_away = false);
    second.ends();
    waits.ends();
    assert!(open().is_err(), "the new list is in use");
}
