//! Where a server of this host listens.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Whether `text` has the form `host:port`.
pub(super) fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| {
        !host.is_empty() && port.parse().is_ok_and(|port: u16| port > 0)
    })
}

/// Those behind `address` that are this host's own: a name may have several, of which one is listened on.
/// What is said there reaches nobody on the network, who could say the same to the server in our place, or
/// answer for it.
pub(super) fn here(address: &str) -> impl Iterator<Item = SocketAddr> {
    let all = address.to_socket_addrs().into_iter().flatten();
    all.filter(|to| is_ours(*to).unwrap_or(false))
}

/// Whether the way to `to` begins where it ends. Nothing is sent.
fn is_ours(to: SocketAddr) -> std::io::Result<bool> {
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    let (from, to) = (socket.local_addr()?.ip(), socket.peer_addr()?.ip());
    Ok(from == to || (from.is_loopback() && to.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["127.0.0.1:22", "localhost:443", "[::1]:5432"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "127.0.0.1", "localhost", ":22", "localhost:", "localhost:0", "a:65536"] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn only_what_is_on_this_host_is_here() {
        for ours in ["127.0.0.1:1", "127.0.0.2:1", "localhost:1"] {
            assert_ne!(here(ours).count(), 0, "{ours}");
        }
        // RFC 5737: nobody's.
        for other in ["192.0.2.1:443", "203.0.113.7:22", "no such host:1"] {
            assert_eq!(here(other).count(), 0, "{other}");
        }
    }
}
