//! A capture file: the packets of transfers as Wireshark reads them, with the headers that the
//! system puts around them.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use etherparse::PacketBuilder;
use pcap_file::{
    DataLink, Endianness, PcapError, TsResolution,
    pcap::{PcapHeader, PcapPacket, PcapWriter},
};
use tftp_mio::{
    client::{Direction, Passing},
    of_the_system,
};

use crate::show;

/// Longer than any UDP datagram with its headers.
const SNAPLEN: u32 = 65_535 + 48;

/// The hop limit that systems give their packets.
const HOPS: u8 = 64;

/// A capture file that is being written.
pub(crate) struct Capture(Mutex<State>);

enum State {
    Writing {
        packets: PcapWriter<Shared>,
        file: Shared,
    },
    /// Nothing more can be written, and that has been said.
    Broken,
}

impl Capture {
    /// Begins the file, or begins it anew.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let header = PcapHeader {
            version_major: 2,
            version_minor: 4,
            ts_correction: 0,
            ts_accuracy: 0,
            snaplen: SNAPLEN,
            // Packets begin with their IP header, whatever they travel in.
            datalink: DataLink::RAW,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::native(),
        };
        let file = Shared(Arc::new(Mutex::new(BufWriter::new(File::create(path)?))));
        let packets = PcapWriter::with_header(file.clone(), header).map_err(io_error)?;
        let mut state = State::Writing { packets, file };
        state.flush()?;
        Ok(Self(Mutex::new(state)))
    }

    /// Adds a packet. The first failure is told, and ends the capture.
    pub(crate) fn keep(&self, packet: &Passing<'_>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.attempt(|state| state.write(since, &with_headers(packet)));
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&self) {
        self.attempt(State::flush);
    }

    fn attempt(&self, act: impl FnOnce(&mut State) -> io::Result<()>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = act(&mut state) {
            *state = State::Broken;
            show::note(&format!("tftp: the capture file ends here: {}", of_the_system(&error)));
        }
    }
}

impl State {
    fn write(&mut self, since: Duration, packet: &[u8]) -> io::Result<()> {
        let Self::Writing { packets, .. } = self else { return Ok(()) };
        let len = u32::try_from(packet.len()).unwrap_or(SNAPLEN);
        packets.write_packet(&PcapPacket::new(since, len, packet)).map_err(io_error)?;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Writing { file, .. } => file.flush(),
            Self::Broken => Ok(()),
        }
    }
}

/// The file, which the writer of packets hides once it has it.
#[derive(Clone)]
struct Shared(Arc<Mutex<BufWriter<File>>>);

impl Shared {
    fn file(&self) -> MutexGuard<'_, BufWriter<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// The packet with an IP and a UDP header, checksums included. What travels in fragments is kept
/// as one.
fn with_headers(packet: &Passing<'_>) -> Vec<u8> {
    let (from, to) = match packet.direction {
        Direction::Sent => (packet.local, packet.peer),
        Direction::Received => (packet.peer, packet.local),
    };
    let ip = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), HOPS)
        }
        _ => PacketBuilder::ipv6(v6(from), v6(to), HOPS),
    };
    let udp = ip.udp(from.port(), to.port());
    let mut whole = Vec::with_capacity(udp.size(packet.datagram.len()));
    // No datagram is longer than its length field can say, and writing to memory does not fail.
    let _ = udp.write(&mut whole, packet.datagram);
    whole
}

fn v6(address: SocketAddr) -> [u8; 16] {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped().octets(),
        SocketAddr::V6(v6) => v6.ip().octets(),
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    use tftp_mio::client::{Direction, Passing};

    use super::with_headers;

    #[test]
    fn headers_name_both_ends_and_their_checksums_are_right() {
        for (local, peer) in [("192.0.2.1:1000", "192.0.2.2:69"), ("[2001:db8::1]:1", "[::1]:2")] {
            let (local, peer): (SocketAddr, SocketAddr) =
                (local.parse().unwrap(), peer.parse().unwrap());
            for (direction, from, to) in
                [(Direction::Sent, local, peer), (Direction::Received, peer, local)]
            {
                let packet = with_headers(&Passing { direction, local, peer, datagram: b"abc" });
                let sliced = SlicedPacket::from_ip(&packet).unwrap();
                let Some(TransportSlice::Udp(udp)) = sliced.transport else { panic!("no UDP") };
                assert_eq!((udp.source_port(), udp.destination_port()), (from.port(), to.port()));
                assert_eq!(udp.payload(), b"abc");
                let header = udp.to_header();
                let checksum = match sliced.net.unwrap() {
                    NetSlice::Ipv4(ip) => {
                        let ip = ip.header().to_header();
                        assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                        assert_eq!(SocketAddr::from((ip.source, 0)).ip(), from.ip());
                        assert_eq!(SocketAddr::from((ip.destination, 0)).ip(), to.ip());
                        header.calc_checksum_ipv4(&ip, b"abc").unwrap()
                    }
                    NetSlice::Ipv6(ip) => {
                        let ip = ip.header().to_header();
                        assert_eq!(SocketAddr::from((ip.source, 0)).ip(), from.ip());
                        header.calc_checksum_ipv6(&ip, b"abc").unwrap()
                    }
                    NetSlice::Arp(_) => panic!("ARP"),
                };
                assert_eq!(header.checksum, checksum);
            }
        }
    }
}
