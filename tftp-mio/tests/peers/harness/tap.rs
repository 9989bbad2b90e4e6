//! A relay between one client and its server that writes down what they say.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A relay for one transfer.
pub(crate) struct Tap {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    relay: JoinHandle<Vec<String>>,
}

impl Tap {
    /// Stands before `server`; the client is to be sent to [`Tap::port`].
    pub(crate) fn before(server: SocketAddr) -> Self {
        let front = socket();
        let over = Arc::new(AtomicBool::new(false));
        Self {
            address: front.local_addr().expect("a bound socket"),
            over: Arc::clone(&over),
            relay: thread::spawn(move || relay(&front, server, &over)),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Everything that went over, in order; to be called when the client has ended.
    pub(crate) fn trace(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.relay.join().expect("the relay")
    }
}

/// Relays until `over` is set, and what is under way then.
fn relay(front: &UdpSocket, server: SocketAddr, over: &AtomicBool) -> Vec<String> {
    let (toward_server, toward_client) = (socket(), socket());
    let mut peer = server; // until it answers from the port of the transfer
    let mut client = None;
    let mut trace = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let was_over = over.load(Ordering::Relaxed);
        let before = trace.len();
        for socket in [front, &toward_client] {
            if let Ok((len, from)) = socket.recv_from(&mut buffer) {
                trace.push(describe(&buffer[..len]));
                client = Some(from);
                toward_server.send_to(&buffer[..len], peer).expect("loopback");
            }
        }
        if let (Ok((len, from)), Some(client)) = (toward_server.recv_from(&mut buffer), client) {
            trace.push(describe(&buffer[..len]));
            peer = from;
            toward_client.send_to(&buffer[..len], client).expect("loopback");
        }
        if was_over && trace.len() == before {
            return trace;
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the loopback");
    let turn = Some(Duration::from_millis(2));
    socket.set_read_timeout(turn).expect("a read time-out");
    socket
}

/// A packet in words. It shares nothing with the codec that is under test.
fn describe(packet: &[u8]) -> String {
    let number = |at| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let fields = || {
        let text = String::from_utf8_lossy(&packet[2..]);
        text.strip_suffix('\0').expect("a final NUL").replace('\0', " ")
    };
    match number(0) {
        1 => format!("RRQ {}", fields()),
        2 => format!("WRQ {}", fields()),
        3 => format!("DATA {}: {} bytes", number(2), packet.len() - 4),
        4 => format!("ACK {}", number(2)),
        5 => format!("ERROR {}", number(2)),
        6 => format!("OACK {}", fields()),
        opcode => format!("opcode {opcode}"),
    }
}
