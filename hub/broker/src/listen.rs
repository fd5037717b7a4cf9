//! Listeners that hold a whole fleet which comes at once: for MQTT, and for HTTP beside it.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the system holds until they are accepted; it holds fewer where `net.core.somaxconn` is lower. One that
/// comes beyond is dropped without a word, and its client asks again after one second, then after three: with the 1,024 of
/// most programs a restart takes a large fleet seconds.
pub const LISTEN_BACKLOG: u32 = 4_096;
/// What the system holds of an answer over HTTP that its client has not taken yet, a connection (Linux takes twice that, to
/// count its own bookkeeping in). Left to itself it grows to megabytes, and a thousand clients that never read make the hub
/// write gigabytes. A client 100 ms away still reads a megabyte a second.
const HTTP_SEND_BUFFER: u32 = 128 * 1024;

/// Listens on `address`; port 0 takes a free one. Call it within a tokio runtime.
///
/// # Errors
///
/// The address is taken, is not one of this machine, or needs rights.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(LISTEN_BACKLOG)
}

/// As [`listen`], for HTTP: a client that reads nothing costs little.
///
/// # Errors
///
/// As with [`listen`].
pub fn listen_http(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    // Connections have it from their listener.
    socket.set_send_buffer_size(HTTP_SEND_BUFFER)?;
    socket.listen(LISTEN_BACKLOG)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart does not wait until the system has forgotten the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::{HTTP_SEND_BUFFER, LISTEN_BACKLOG, listen, listen_http};
    use std::io::ErrorKind;
    use std::time::Duration;
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    #[tokio::test]
    async fn little_waits_for_a_client_that_reads_nothing() {
        let listener = listen_http("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut taken = 0;
        // The system moves what it holds on to the client's side while that has room: until both are full.
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            loop {
                match stream.try_write(&[0; 16 * 1024]) {
                    Ok(more) => taken += more,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        // The client's side begins with 64 KiB or 128 KiB and grows only as it reads.
        assert!(taken < 8 * HTTP_SEND_BUFFER as usize, "{taken} bytes wait");
        drop(client);
    }

    /// Twice as many as fit into the usual backlog. A client whose SYN is dropped waits for longer than a minute while nobody
    /// accepts.
    #[tokio::test]
    async fn many_connections_wait_to_be_accepted() {
        const COME: u32 = 2_048;
        let system = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
        if system.trim().parse::<u32>().is_ok_and(|most| most < COME) {
            eprintln!("left out: this system lets only {} connections wait", system.trim());
            return;
        }
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let all = async {
            for _ in 0..COME {
                // Left at once: it waits to be accepted all the same.
                TcpStream::connect(address).await.unwrap();
            }
        };
        let all = timeout(Duration::from_secs(45), all).await;
        all.expect("each is taken at once while nobody accepts");
        const { assert!(COME < LISTEN_BACKLOG) };
        drop(listener);
    }
}
