//! An owner who was not reached rings the main number back; nobody else gets in that way.

use hub_core::phone_number::PhoneNumber;
use hub_lab::phone::{PhoneAnswer, PhoneScript, Phones};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tests_hub::calls::{about_to_ring, attempt, only_ticket, owners_phones};
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::hub::Lab;
use tests_hub::site::TestSite;
use tests_hub::watch::contacts_are_looked_at;
use tokio::net::UdpSocket;

/// The number that owners see when they are rung.
const MAIN_NUMBER: &str = "+862155500100";
const STRANGER: &str = "+8613999999999";
const PATIENCE: Duration = Duration::from_secs(30);

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).unwrap()
}

fn presses_1() -> PhoneScript {
    PhoneScript {
        answer: PhoneAnswer::Never,
        keys: vec![(Duration::from_secs(6), '1')],
        hang_up: None,
    }
}

async fn attempts(console: &Console) -> Vec<Value> {
    only_ticket(console).await["attempts"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_rings_back_and_books() {
    let phones = owners_phones(PhoneAnswer::Busy, vec![]).await.unwrap();
    let (lab, hub, console) = about_to_ring(Lab::new().unwrap(), &phones).await.unwrap();
    let missed = attempt(&console, "the busy call's end", |a| a["state"] == "ended").await;
    assert_eq!(
        (&missed["direction"], &missed["result"]),
        (&json!("outbound"), &json!("busy"))
    );
    // The next look at the ticket finds that it is too soon; after it the hub does nothing by itself.
    let too_soon = async || (only_ticket(&console).await["ticket"]["contact"]["reason"] == "gap").then_some(());
    eventually("the gap after the busy call", PATIENCE, too_soon).await;
    assert_eq!(only_ticket(&console).await["ticket"]["contact"]["phase"], "planned");

    let owner = TestSite::number(0);
    let story = async || {
        let view = only_ticket(&console).await;
        ["ticket", "timeline", "attempts"].map(|part| view[part].clone())
    };
    let before = story().await;
    nobody_else_gets_in(&lab, &phones, &owner).await;
    assert_eq!(story().await, before, "only the owner's call changes anything");

    let call = phones
        .ring_hub(lab.sip, number(&owner), number(MAIN_NUMBER), &presses_1())
        .await
        .unwrap();
    assert!(call.answered, "the hub answers the owner");
    assert_eq!(call.pressed, "1");
    let loud = call.heard.iter().filter(|sample| sample.abs() > 1_000).count();
    assert!(
        loud > 8_000,
        "at least a second of speech was heard: {loud} loud samples"
    );

    let both_ended = async || {
        let attempts = attempts(&console).await;
        attempts.iter().all(|a| a["state"] == "ended").then_some(attempts)
    };
    let attempts = eventually("the call's record", PATIENCE, both_ended).await;
    let [_, back] = attempts.as_slice() else {
        panic!("two attempts: {attempts:?}");
    };
    for (field, wanted) in [
        ("direction", "inbound"),
        ("result", "answered"),
        ("disposition", "appointment_booked"),
    ] {
        assert_eq!(back[field], wanted, "{back:#}");
    }
    assert_eq!(back["detail"]["digits"], "1");
    let ticket = only_ticket(&console).await;
    assert_eq!(ticket["ticket"]["status"]["category"], "paused");
    assert_eq!(
        ticket["ticket"]["appointment"]["slot"], back["offered"],
        "what was offered is what is booked: {ticket:#}"
    );
    contacts_are_looked_at(&lab).await;
    assert_eq!(phones.rung(), 1, "the planned call is not made any more");
    hub.stop().await.unwrap();
}

/// A number that no owner has; and the owner's own number from an address that is not the trunk's.
async fn nobody_else_gets_in(lab: &Lab, phones: &Phones, owner: &str) {
    let hangs_up = PhoneScript {
        hang_up: Some(Duration::from_secs(2)),
        ..presses_1()
    };
    let call = phones
        .ring_hub(lab.sip, number(STRANGER), number(MAIN_NUMBER), &hangs_up)
        .await
        .unwrap();
    assert!(call.answered, "a stranger is asked for a number");
    assert_eq!(invite(lab.sip, "127.0.0.1", STRANGER).await, 200);
    assert_eq!(
        invite(lab.sip, "127.0.0.2", owner).await,
        403,
        "the number alone opens nothing"
    );
    let (elsewhere, _reports) = Phones::start("127.0.0.2:0".parse().unwrap()).await.unwrap();
    let call = elsewhere
        .ring_hub(lab.sip, number(owner), number(MAIN_NUMBER), &presses_1())
        .await
        .unwrap();
    assert!(!call.answered, "another address is not answered");
    elsewhere.shutdown().await;
}

/// Status of the final answer to an INVITE for the main number that says it comes from `from`.
async fn invite(hub: SocketAddr, local_ip: &str, from: &str) -> u16 {
    let socket = UdpSocket::bind((local_ip, 0)).await.unwrap();
    let local = socket.local_addr().unwrap();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {local_ip}\r\ns=-\r\nc=IN IP4 {local_ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    );
    let head = |method: &str, to_tag: &str| {
        format!(
            "{method} sip:{MAIN_NUMBER}@{hub} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{port}\r\nMax-Forwards: 70\r\n\
             From: <sip:{from}@{local}>;tag=t{port}\r\nTo: <sip:{MAIN_NUMBER}@{hub}>{to_tag}\r\nCall-ID: c{port}@{local_ip}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:{from}@{local}>\r\n",
            port = local.port()
        )
    };
    let invite = head("INVITE", "");
    let invite = format!(
        "{invite}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    socket.send_to(invite.as_bytes(), hub).await.unwrap();
    let mut buffer = vec![0; 4_096];
    loop {
        let received = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await;
        let length = received.expect("a final answer in time").unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        if status >= 200 {
            let tag = answer
                .lines()
                .find(|l| l.starts_with("To:"))
                .and_then(|l| l.split_once(";tag="));
            let ack = head("ACK", &tag.map(|(_, tag)| format!(";tag={tag}")).unwrap_or_default());
            socket
                .send_to(format!("{ack}Content-Length: 0\r\n\r\n").as_bytes(), hub)
                .await
                .unwrap();
            return status;
        }
    }
}
