//! Behind a real nginx, with its defaults and with the file that is shipped.

use super::events::read_until;
use super::*;
use hub_api::{Limits, Proxies};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// An event is with the reader this long after the act was answered.
const EVENT_MAX: Duration = Duration::from_secs(2);

/// nginx in front of a hub, until it is dropped.
struct Nginx {
    base: String,
    _child: Child,
    _dir: tempfile::TempDir,
}

/// Where Debian puts it, which is on the path of some users only.
fn program() -> Option<&'static str> {
    let found = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "nginx is not installed, and CI leaves nothing out"
        );
        eprintln!("left out: nginx is not installed");
    }
    found
}

impl Nginx {
    /// `servers` makes the part inside `http { }`, given the address to listen at.
    async fn start(program: &str, servers: impl Fn(&str) -> String) -> Self {
        // At an address that no other test uses: until nginx listens, its port is anybody's.
        let address = TcpListener::bind("127.0.7.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string();
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let servers = servers(&address);
        let config = format!(
            "daemon off; master_process off; pid {at}/nginx.pid; error_log stderr;\n\
             events {{ }}\n\
             http {{\n\
             access_log off;\n\
             client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
             uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             {servers}\n\
             }}\n"
        );
        let file = dir.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut child = Command::new(program)
            .arg("-p")
            .arg(dir.path())
            .arg("-e")
            .arg("stderr")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let listens = async {
            while TcpStream::connect(&address).await.is_err() {
                assert!(child.try_wait().unwrap().is_none(), "nginx ended at once");
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), listens)
            .await
            .expect("nginx listens in time");
        Self {
            base: format!("http://{address}"),
            _child: child,
            _dir: dir,
        }
    }
}

/// The address of the hub, without scheme.
fn upstream(hub: &Hub) -> &str {
    hub.base.strip_prefix("http://").unwrap()
}

/// A change at the hub is told through nginx at once.
async fn an_event_arrives(hub: &Hub, nginx: &Nginx, host: Option<&str>) {
    let program = hub.program().await;
    let request = Client::new().get(format!("{}/api/v1/events", nginx.base));
    let request = match host {
        Some(host) => request.header("host", host),
        None => request,
    };
    let mut stream = request.bearer_auth(&program.token).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    read_until(&mut stream, "hello").await;
    let take = program.post(&format!("{}/take", hub.ticket(2)), "a", &json!({}));
    assert_eq!(take.send().await.unwrap().status(), 200);
    let told = timeout(EVENT_MAX, read_until(&mut stream, "\"kind\":\"ticket.taken\"")).await;
    told.expect("nginx holds nothing back");
}

#[tokio::test]
async fn events_arrive_behind_the_defaults() {
    let Some(program) = program() else {
        return;
    };
    let hub = Hub::start().await;
    let to = upstream(&hub);
    let servers = |address: &str| format!("server {{ listen {address}; location / {{ proxy_pass http://{to}; }} }}");
    let nginx = Nginx::start(program, servers).await;
    an_event_arrives(&hub, &nginx, None).await;
}

#[tokio::test]
async fn the_shipped_file_works() {
    let Some(program) = program() else {
        return;
    };
    let hub = Hub::start_with(|mut state| {
        state.config.host_names = vec!["console.example".into()];
        state.config.proxies = Proxies::parse(&["127.0.0.1".to_owned()]).unwrap();
        state
    })
    .await;
    let servers = |address: &str| {
        let shipped = include_str!("../../../../deploy/nginx/forecall.conf");
        // On the ports of this test, and without the certificate.
        let lines = shipped
            .lines()
            .filter(|line| !line.trim().starts_with("ssl_certificate"));
        let text = lines.collect::<Vec<_>>().join("\n");
        for part in ["listen 443 ssl;", "server 127.0.0.1:8080;"] {
            assert_eq!(text.matches(part).count(), 1, "{part}");
        }
        text.replace("listen 443 ssl;", &format!("listen {address};"))
            .replace("server 127.0.0.1:8080;", &format!("server {};", upstream(&hub)))
    };
    let nginx = Nginx::start(program, servers).await;
    an_event_arrives(&hub, &nginx, Some("console.example")).await;

    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let log_in = async |host: &str, origin: &str| {
        let body = json!({ "name": "admin", "password": hub.password });
        let request = client.post(format!("{}/api/v1/session", nginx.base)).json(&body);
        let answer = request.header("host", host).header("origin", origin).send().await;
        answer.unwrap().status().as_u16()
    };
    assert_eq!(log_in("console.example", "https://console.example").await, 200);
    assert_eq!(
        log_in("console.example:8443", "https://console.example:8443").await,
        200
    );
    assert_eq!(log_in("console.example", "https://evil.example").await, 403);
    assert_eq!(log_in("evil.example", "https://evil.example").await, 421);
    let metrics = client
        .get(format!("{}/metrics", nginx.base))
        .header("host", "console.example");
    problem(metrics.send().await.unwrap(), 403, "metrics-refused").await;
}

/// Otherwise a request is now and then sent on a connection that the hub is just closing, and answered 502.
#[test]
fn the_shipped_files_let_go_of_an_idle_connection_before_the_hub_does() {
    let nginx = include_str!("../../../../deploy/nginx/forecall.conf");
    let caddy = include_str!("../../../../deploy/caddy/Caddyfile");
    let margin = Duration::from_secs(3);
    for (file, setting) in [(nginx, "keepalive_timeout "), (caddy, "keepalive ")] {
        let set: Vec<&str> = file
            .lines()
            .filter_map(|line| line.trim().strip_prefix(setting))
            .collect();
        assert_eq!(set.len(), 1, "{setting}is set once: {set:?}");
        let seconds = set[0].trim_end_matches(';').strip_suffix('s').unwrap();
        let kept = Duration::from_secs(seconds.parse().unwrap());
        assert!(kept + margin <= Limits::default().head_patience, "{setting}{kept:?}");
    }
}
