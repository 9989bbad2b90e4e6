//! Packets as they pass, for whoever wants to see them.

use std::{
    fmt,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use tftp_core::{Operation, Packet};

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us to the peer.
    Sent,
    /// From a peer, or from a stranger, to us.
    Received,
}

/// One datagram on its way, as it was on the wire.
///
/// Its text form is one line: the way it goes, the peer, its type, its block, its size.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'p> {
    /// Which way it goes.
    pub direction: Direction,
    /// Our address. The system may know it only by and by: the IP address may be unspecified.
    pub local: SocketAddr,
    /// Where it goes, or comes from.
    pub peer: SocketAddr,
    /// The UDP payload. A peer chose its bytes: escape them before you show them.
    pub datagram: &'p [u8],
}

/// Sees every packet that a transfer sends or receives, in their order, on the thread that does.
///
/// A burst that the system takes in one call is seen packet by packet. A packet that the system
/// would not take is not seen. It is called while packets wait, so it must be quick.
pub type Observer = Arc<dyn Fn(&Passing<'_>) + Send + Sync>;

/// An observer at one socket.
pub(crate) struct Watch {
    observer: Observer,
    local: SocketAddr,
}

impl Watch {
    /// Watches a socket bound to `local`, from which packets go to `server`.
    pub(crate) fn new(observer: &Observer, local: SocketAddr, server: SocketAddr) -> Self {
        let ip = if local.ip().is_unspecified() { route_to(server) } else { None };
        let local = SocketAddr::new(ip.unwrap_or(local).ip(), local.port());
        Self { observer: Arc::clone(observer), local }
    }

    pub(crate) fn saw(&self, direction: Direction, peer: SocketAddr, datagram: &[u8]) {
        (self.observer)(&Passing { direction, local: self.local, peer, datagram });
    }
}

/// The address of ours that packets to `server` come from; nothing is sent to find out.
fn route_to(server: SocketAddr) -> Option<SocketAddr> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let probe = UdpSocket::bind(any).ok()?;
    probe.connect(server).ok()?;
    probe.local_addr().ok()
}

impl fmt::Display for Passing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            Direction::Sent => ">",
            Direction::Received => "<",
        })?;
        write!(f, " {} ", self.peer)?;
        match Packet::parse(self.datagram) {
            Ok(Packet::Request(request)) => {
                let kind = match request.operation {
                    Operation::Read => "RRQ",
                    Operation::Write => "WRQ",
                };
                let name = request.filename.escape_ascii();
                write!(f, "{kind} \"{name}\" {} {}", request.mode, request.options)?;
            }
            Ok(Packet::Data { block, .. }) => write!(f, "DATA {block}")?,
            Ok(Packet::Ack { block, .. }) => write!(f, "ACK {block}")?,
            Ok(Packet::Error { code, message }) => {
                write!(f, "ERROR {} \"{}\"", code.0, message.escape_ascii())?;
            }
            Ok(Packet::OptionAck(options)) => {
                f.write_str("OACK")?;
                for (name, value) in options.iter() {
                    write!(f, " {}={}", name.escape_ascii(), value.escape_ascii())?;
                }
            }
            Err(why) => write!(f, "no TFTP packet ({why})")?,
        }
        write!(f, ", {} bytes", self.datagram.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Passing, Watch};

    fn shown(datagram: &[u8]) -> String {
        let (local, peer) = ("[::1]:1".parse().unwrap(), "[::1]:2".parse().unwrap());
        Passing { direction: Direction::Received, local, peer, datagram }.to_string()
    }

    #[test]
    fn a_packet_is_told_in_one_line() {
        for (datagram, line) in [
            (
                &b"\0\x01a\x1bb\0octet\0blksize\x001428\0"[..],
                r#"RRQ "a\x1bb" octet blksize=1428, 25 bytes"#,
            ),
            (b"\0\x03\0\x07abc", "DATA 7, 7 bytes"),
            (b"\0\x04\xff\xff", "ACK 65535, 4 bytes"),
            (b"\0\x06tsize\x009\0", "OACK tsize=9, 10 bytes"),
            (b"\0\x05\0\x01no\n", r#"ERROR 1 "no\n", 7 bytes"#),
            (b"\0", "no TFTP packet (packet too short), 1 bytes"),
        ] {
            assert_eq!(shown(datagram), format!("< [::1]:2 {line}"));
        }
    }

    #[test]
    fn the_address_that_packets_come_from_is_found_without_sending() {
        let local = "0.0.0.0:7".parse().unwrap();
        let watch = Watch::new(
            &(std::sync::Arc::new(|_: &Passing<'_>| ()) as _),
            local,
            "127.0.0.1:69".parse().unwrap(),
        );
        assert_eq!(watch.local, "127.0.0.1:7".parse().unwrap());
    }
}
