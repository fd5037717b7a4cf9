//! New devices come to a secret of their own, whatever is lost on the way, and report with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tests_firmware::board::{Board, C_STACK_MAX, Image, New, Origin, Plan, Running, Wire, stack_bytes};
use tests_firmware::link::Link;
use tests_firmware::modem::Modem;
use tests_firmware::stage::{PATIENCE, Pump, Stage};
use tests_hub::eventually;
use tests_hub::rig::PROFILE;

const COUNT: u64 = 40;
const PERIOD_MS: u64 = 20;
const MORE: [(&str, u64); 3] = [("count", COUNT), ("period_ms", PERIOD_MS), ("backoff_cap_ms", 1_000)];

/// A device that the hub does not know yet, behind a link that loses answers.
struct Newcomer<'a> {
    stage: &'a Stage,
    link: Link,
    name: &'a str,
    board: Board,
    image: Image,
    origin: Origin<'a>,
}

impl Newcomer<'_> {
    /// Power comes. The modem is there for the image that wants one, for as long as the board runs.
    async fn start(&self, boot: u64) -> (Running, Option<Modem>) {
        let hub = SocketAddr::from((Ipv4Addr::LOCALHOST, self.link.port));
        let modem = match self.image {
            Image::C => Some(Modem::to(hub).await.unwrap()),
            Image::Agent | Image::Foreign => None,
        };
        let wire = modem.as_ref().map_or(Wire::Ethernet, |modem| Wire::Serial(modem.port));
        let plan = Plan {
            device: self.name,
            port: self.link.port,
            boot,
            more: &MORE,
        };
        let new = New {
            origin: self.origin,
            flash: &self.flash(),
        };
        let folder = self.stage.lab.path();
        let running = Running::start_new(folder, self.board, self.image, wire, &plan, &new).unwrap();
        (running, modem)
    }

    fn flash(&self) -> PathBuf {
        self.stage.lab.path().join(format!("{}.flash", self.name))
    }

    /// Its first question is answered, and the answer lost; then its power fails. It finds its way all the same, reports with
    /// the secret of its own, and the next start needs no way at all.
    async fn comes_in(&self, boot: u64) {
        self.link.lose_answers_once_asked();
        let (board, _modem) = self.start(boot).await;
        // The hub has answered, and so has committed: nothing but an answer to a question is lost.
        eventually("a lost answer", PATIENCE, async || {
            (self.link.lost_bytes() > 0).then_some(())
        })
        .await;
        let asked = self.link.published().len();
        board.cut_power().await.unwrap();
        self.link.mend();

        let (board, _modem) = self.start(boot + 1).await;
        self.stage.until_stored(self.name, COUNT).await;
        let pump = Pump {
            device: self.name,
            unit: boot + 1,
            worn_from: u64::MAX,
        };
        let taken_ms = |number: u64| i64::try_from(number * PERIOD_MS).unwrap();
        self.stage.readings_are(&pump, COUNT, taken_ms).await.unwrap();
        assert!(self.link.published().len() > asked, "nothing went through the link");
        let reply = self.stage.command(self.name, "1", "stop").await.unwrap();
        assert_eq!(reply["status"], "done", "{reply}");
        let said = board.ended(PATIENCE).await.unwrap();
        assert!(said.contains("enrolled\n"), "{said}");
        if self.image == Image::C {
            let stack = stack_bytes("c-first-boot", &said).unwrap();
            assert!(stack > 0 && stack <= C_STACK_MAX, "{stack} bytes of stack");
        }

        let (board, _modem) = self.start(boot + 2).await;
        self.stage.until_stored(self.name, 2 * COUNT).await;
        let said = board.said();
        assert!(said.contains("enrolled before\n"), "{said}");
        board.cut_power().await.unwrap();
    }
}

async fn last_line(stage: &Stage, script: &str) -> String {
    let said = stage.lab.script(script).await.unwrap();
    said.lines().last().unwrap().to_owned()
}

/// The C program has a claim credential, which may be used once.
#[tokio::test(flavor = "multi_thread")]
async fn a_c_program_comes_in_by_a_claim_whose_answer_is_lost() {
    let mut stage = Stage::open(&[]).await.unwrap();
    let script = format!(
        "forecall claim credential add --tenant acme --name line --profile {PROFILE} --uses 1 --days 1 \
         | awk '/^user name/ {{ print $3 }}'"
    );
    let token = last_line(&stage, &script).await;
    let newcomer = Newcomer {
        stage: &stage,
        link: Link::to(stage.lab.mqtt).await.unwrap(),
        name: "new-in-c",
        board: Board::M4,
        image: Image::C,
        origin: Origin::Claim(&token),
    };
    newcomer.comes_in(30).await;
    drop(newcomer);
    stage.stop().await.unwrap();
}

/// The Rust program has the secret that its group's key gives it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rust_program_comes_in_by_its_groups_key_whose_answer_is_lost() {
    let mut stage = Stage::open(&[]).await.unwrap();
    let script = format!(
        "key=$(forecall key group add --tenant acme --group line-1 --profile {PROFILE} --enrol \
         | awk '/^key/ {{ print $2 }}'); \
         echo \"$key\" | forecall key group secret --tenant acme --group line-1 --device new-in-rust --key-stdin"
    );
    let secret = last_line(&stage, &script).await;
    let newcomer = Newcomer {
        stage: &stage,
        link: Link::to(stage.lab.mqtt).await.unwrap(),
        name: "new-in-rust",
        board: Board::M3,
        image: Image::Agent,
        origin: Origin::Group(&secret),
    };
    newcomer.comes_in(40).await;
    drop(newcomer);
    stage.stop().await.unwrap();
}
