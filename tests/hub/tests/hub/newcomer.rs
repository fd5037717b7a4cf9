//! What somebody meets who begins: the doctor before the first start, output that nobody reads to its end, and devices that get
//! their secrets, and are retired, by the site file.

use nix::unistd::geteuid;
use std::os::unix::fs::PermissionsExt;
use tests_hub::hub::Lab;
use tests_hub::watch::doctor;

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_what_would_keep_the_first_start_from_working() {
    let mut lab = Lab::bare().unwrap();
    let said = doctor(&lab).await;
    for line in [
        "ok    state folder: ",
        "ok    database: no database yet",
        "ok    models: ",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    assert!(!lab.state().exists(), "it makes nothing");
    if geteuid().is_root() {
        let closed = lab.path().join("closed");
        let inner = closed.join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        for folder in [&closed, &inner] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        lab.set("FORECALL_STATE_DIR", inner.join("state").display());
        let said = lab.run(&["doctor"]).await.unwrap_err().to_string();
        let both = format!("cannot enter {} {}", inner.display(), closed.display());
        assert!(said.contains("FAIL  state folder: ") && said.contains(&both), "{said}");
        lab.set("FORECALL_STATE_DIR", lab.state().display());
    }
    lab.set("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let said = lab.run(&["doctor"]).await.unwrap_err().to_string();
    assert!(said.contains("FAIL  database: ") && said.contains("refused"), "{said}");
    // Nobody reads further than the first line: exit code 1 for what failed, and no panic.
    let script = "(forecall doctor 2>&1 || echo $? > code) | head -n 1; cat code";
    assert_eq!(lab.script(script).await.unwrap(), "ok    configuration\n1\n");
}

fn site(devices: &[&str]) -> String {
    let head = "[[tenant]]\nid = \"acme\"\nbrand = { zh-CN = \"安居\", en = \"Acme\" }\nvisit_price = { currency = \"CNY\", amount = 80 }\n";
    let device = |id: &&str| format!("[[tenant.device]]\nid = \"{id}\"\nprofile = \"pump-rig\"\n");
    format!("{head}{}", devices.iter().map(device).collect::<String>())
}

const TRUNK_AND_OWNER: &str = r#"
[tenant.trunk]
proxy = "127.0.0.1:5070"
domain = "trunk.example"
caller_number = "(021) 5550 0100"
number_plan = { country_code = "86", trunk_prefix = "0" }
[[tenant.owner]]
id = "c-1"
name = "Li Na"
phone = "138 0000 5678"
language = "zh-CN"
zone = "Asia/Shanghai"
consent_to_calls = true
"#;

#[tokio::test(flavor = "multi_thread")]
async fn declared_devices_get_their_secrets_and_are_retired_by_the_file() {
    let lab = Lab::new().unwrap();
    let file = lab.path().join("acme.toml");
    std::fs::write(&file, site(&["pump-1", "pump-2"])).unwrap();
    let apply = async |more: &[&str]| {
        let args: Vec<&str> = ["apply", "-f", file.to_str().unwrap()]
            .iter()
            .chain(more)
            .copied()
            .collect();
        lab.run(&args).await
    };
    let secrets = lab.path().join("secrets.csv");
    let secrets = secrets.to_str().unwrap();
    let said = apply(&["--dry-run", "--secrets", secrets]).await.unwrap();
    assert!(said.contains("2 devices would get a secret"), "{said}");
    let said = apply(&["--secrets", secrets]).await.unwrap();
    assert!(said.contains("2 devices got a secret"), "{said}");
    let text = std::fs::read_to_string(secrets).unwrap();
    assert!(
        text.starts_with("tenant,device,user_name,password\nacme,pump-1,acme/pump-1,"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3);
    let refused = apply(&["--secrets", secrets]).await.unwrap_err().to_string();
    assert!(refused.contains("is there already"), "{refused}");
    let other = lab.path().join("other.csv");
    let said = apply(&["--secrets", other.to_str().unwrap()]).await.unwrap();
    assert!(
        said.contains("every declared device has something to come in with") && !other.exists(),
        "{said}"
    );

    std::fs::write(&file, site(&["pump-2"])).unwrap();
    assert!(apply(&[]).await.unwrap().contains("0 changed"));
    let said = apply(&["--prune", "--dry-run"]).await.unwrap();
    assert!(
        said.contains("retire  device acme/pump-1\n1 would be retired (nothing was kept)"),
        "{said}"
    );
    let said = apply(&["--prune"]).await.unwrap();
    assert!(said.contains("retire  device acme/pump-1\n1 retired"), "{said}");
    // So are a trunk and an owner, whose numbers are written as they are dialled at home.
    let whole = format!("{}{TRUNK_AND_OWNER}", site(&["pump-2"]));
    std::fs::write(&file, whole).unwrap();
    let said = apply(&["--prune"]).await.unwrap();
    assert!(
        said.contains("add     owner acme/c-1") && said.contains("0 retired"),
        "{said}"
    );
    std::fs::write(&file, site(&["pump-2"])).unwrap();
    for (more, end) in [
        (&["--prune", "--dry-run"][..], "2 would be retired"),
        (&["--prune"][..], "2 retired"),
        (&["--prune"][..], "0 retired"),
    ] {
        let said = apply(more).await.unwrap();
        let both = "retire  trunk acme\nretire  owner acme/c-1\n";
        assert!(
            said.contains(end) && said.contains(both) == end.starts_with('2'),
            "{said}"
        );
    }
    let listed = lab.run(&["device", "list", "--tenant", "acme"]).await.unwrap();
    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(
        line("acme/pump-1").contains("revoked") && line("acme/pump-2").contains("away"),
        "{listed}"
    );
    let unknown = lab
        .run(&["device", "list", "--tenant", "acne"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("there is no tenant acne; this hub has acme"),
        "{unknown}"
    );
}
