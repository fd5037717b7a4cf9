//! What stands between a board and its hub does what it says: a test that cuts a link which was never up would prove nothing.

use std::net::{Ipv4Addr, SocketAddr};
use tests_firmware::link::Link;
use tests_firmware::modem::Modem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A PUBLISH at QoS 1 that comes again: topic `a`, number 7, payload `x`.
const PUBLISH: &[u8] = &[0x3A, 6, 0, 1, b'a', 0, 7, b'x'];

async fn hub() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

async fn read<const N: usize>(from: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_link_is_up_then_deaf_then_cut_and_up_again() {
    let (listener, addr) = hub().await;
    let link = Link::to(addr).await.unwrap();
    let mut device = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port)).await.unwrap();
    let (mut hub, _) = listener.accept().await.unwrap();
    device.write_all(PUBLISH).await.unwrap();
    assert_eq!(read::<8>(&mut hub).await, PUBLISH);
    hub.write_all(b"heard").await.unwrap();
    assert_eq!(&read::<5>(&mut device).await, b"heard");
    let published = link.published();
    assert_eq!(published.len(), 1);
    assert_eq!(
        (published[0].topic.as_str(), &published[0].payload[..]),
        ("a", &b"x"[..])
    );
    assert!(published[0].is_again && published[0].connection == 0);

    link.lose_answers();
    hub.write_all(b"lost").await.unwrap();
    device.write_all(PUBLISH).await.unwrap();
    assert_eq!(read::<8>(&mut hub).await, PUBLISH, "what goes up arrives");
    link.cut();
    let mut rest = Vec::new();
    // Ended, whichever way.
    let _ = device.read_to_end(&mut rest).await;
    assert_eq!(rest, b"", "an answer came through");
    let mut refused = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port)).await.unwrap();
    let _ = refused.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");

    link.mend();
    let mut device = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port)).await.unwrap();
    let (mut hub, _) = listener.accept().await.unwrap();
    hub.write_all(b"again").await.unwrap();
    assert_eq!(&read::<5>(&mut device).await, b"again");
    assert_eq!(link.connections(), 3);
}

#[tokio::test]
async fn a_link_loses_the_answers_to_what_was_asked_and_nothing_before() {
    let (listener, addr) = hub().await;
    let link = Link::to(addr).await.unwrap();
    link.lose_answers_once_asked();
    let mut device = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port)).await.unwrap();
    let (mut hub, _) = listener.accept().await.unwrap();
    // A ping is no message.
    device.write_all(&[0xC0, 0]).await.unwrap();
    assert_eq!(read::<2>(&mut hub).await, [0xC0, 0]);
    hub.write_all(b"before").await.unwrap();
    assert_eq!(&read::<6>(&mut device).await, b"before");
    assert_eq!(link.lost_bytes(), 0);
    device.write_all(PUBLISH).await.unwrap();
    assert_eq!(read::<8>(&mut hub).await, PUBLISH);
    hub.write_all(b"lost").await.unwrap();
    drop(hub);
    let mut rest = Vec::new();
    // Ended, whichever way.
    let _ = device.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    assert_eq!(link.lost_bytes(), 4);
}

#[tokio::test]
async fn a_modem_opens_carries_and_closes() {
    let (listener, addr) = hub().await;
    let modem = Modem::to(addr).await.unwrap();
    let mut board = TcpStream::connect((Ipv4Addr::LOCALHOST, modem.port)).await.unwrap();
    // Without a connection bytes go nowhere.
    board.write_all(b"D\x02noO\x00").await.unwrap();
    let (mut hub, _) = listener.accept().await.unwrap();
    assert_eq!(&read::<2>(&mut board).await, b"U\x00");
    board.write_all(b"D\x02up").await.unwrap();
    assert_eq!(&read::<2>(&mut hub).await, b"up");
    hub.write_all(b"down").await.unwrap();
    assert_eq!(&read::<6>(&mut board).await, b"D\x04down");
    // By the hub, then by the board.
    drop(hub);
    assert_eq!(&read::<2>(&mut board).await, b"L\x00");
    board.write_all(b"O\x00").await.unwrap();
    let (mut hub, _) = listener.accept().await.unwrap();
    assert_eq!(&read::<2>(&mut board).await, b"U\x00");
    board.write_all(b"C\x00").await.unwrap();
    assert_eq!(&read::<2>(&mut board).await, b"L\x00");
    let mut rest = Vec::new();
    hub.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
    // Nobody listens any more.
    drop(listener);
    board.write_all(b"O\x00").await.unwrap();
    assert_eq!(&read::<2>(&mut board).await, b"L\x00");
}
