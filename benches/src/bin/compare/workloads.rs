//! The workloads, and the bars that our programs are to reach.

use crate::{
    bars::{
        Bar::{self, Calls, Cpu, CpuPerDatagram, NoRequestRepeated, Throughput},
        Rival::{BestPeer, Floor, Ourselves, Peer},
    },
    servers::Server,
};

const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;

/// Something to serve, and who serves it.
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) bars: Vec<Bar>,
}

/// A server with a load.
#[derive(Clone)]
pub(crate) struct Contestant {
    pub(crate) label: String,
    pub(crate) server: Server,
    /// Options of ours beyond the defaults.
    pub(crate) arguments: &'static [&'static str],
    pub(crate) load: Load,
}

/// What the load generator is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) operation: &'static str,
    pub(crate) blksize: u16,
    pub(crate) windowsize: u16,
    pub(crate) size: u64,
    pub(crate) files: u32,
    pub(crate) clients: u32,
    pub(crate) transfers: u32,
    pub(crate) per_socket: u32,
    pub(crate) waiting: u32,
    /// The load generator never sleeps, so that only the server's waking up is seen.
    pub(crate) busy_poll: bool,
}

impl Load {
    fn one(operation: &'static str, blksize: u16, windowsize: u16, size: u64) -> Self {
        Self {
            operation,
            blksize,
            windowsize,
            size,
            files: 1,
            clients: 1,
            transfers: 1,
            per_socket: 1,
            waiting: 1_000_000,
            busy_poll: false,
        }
    }

    /// A load that is as long as strace can stand.
    pub(crate) fn shortened(self) -> Self {
        let size = if self.transfers == 1 { self.size / 64 } else { self.size };
        let transfers = if self.transfers == self.clients {
            self.transfers
        } else {
            (self.transfers / 20).max(self.clients)
        };
        Self { size, transfers, ..self }
    }

    /// A load that only shows that everything works.
    pub(crate) fn quick(self) -> Self {
        let size = if self.transfers == 1 { self.size / 100 } else { self.size };
        let transfers = if self.transfers == 1 { 1 } else { self.transfers / 100 };
        let clients = self.clients.min(transfers);
        Self { size, transfers, clients, files: self.files.min(transfers), ..self }
    }

    pub(crate) fn bytes(self) -> u64 {
        self.size * u64::from(self.transfers)
    }

    /// DATA packets of all transfers.
    pub(crate) fn blocks(self) -> u64 {
        (self.size / u64::from(self.blksize) + 1) * u64::from(self.transfers)
    }
}

/// All workloads that are a server's.
pub(crate) fn all() -> Vec<Workload> {
    let lock_step = [512, 1428].into_iter().flat_map(lock_step);
    windowed().into_iter().chain(lock_step).chain(single_port()).chain(crowds()).collect()
}

fn windowed() -> [Workload; 5] {
    [
        Workload {
            name: "get-1428x16".into(),
            title: "get, blksize 1428, windowsize 16".into(),
            contestants: everybody(&[], Load::one("get", 1428, 16, 256 * MIB)),
            bars: vec![
                Cpu(0.5, Peer(Server::RsTftpd)),
                Cpu(1.25, Floor),
                Throughput(0.9, Floor),
                Calls(0.30),
            ],
        },
        Workload {
            name: "get-1428x64".into(),
            title: "get, blksize 1428, windowsize 64".into(),
            contestants: everybody(&[], Load::one("get", 1428, 64, 256 * MIB)),
            bars: vec![
                Cpu(0.25, Peer(Server::RsTftpd)),
                Cpu(1.25, Floor),
                Throughput(2.5, BestPeer),
            ],
        },
        Workload {
            name: "get-8192x64".into(),
            title: "get, blksize 8192, windowsize 64".into(),
            contestants: everybody(&[], Load::one("get", 8192, 64, 1024 * MIB)),
            bars: vec![Cpu(0.4, BestPeer), Throughput(2.0, BestPeer)],
        },
        Workload {
            name: "get-65464x8".into(),
            title: "get, blksize 65464, windowsize 8".into(),
            contestants: everybody(&[], Load::one("get", 65_464, 8, 2048 * MIB)),
            bars: vec![Cpu(1.0, BestPeer), Throughput(1.0, BestPeer)],
        },
        Workload {
            name: "put-1428x16".into(),
            title: "put, blksize 1428, windowsize 16, onto tmpfs".into(),
            contestants: everybody(&[], Load::one("put", 1428, 16, 256 * MIB)),
            bars: vec![Cpu(0.85, Peer(Server::RsTftpd)), Cpu(1.25, Floor), Calls(0.30)],
        },
    ]
}

/// As it comes, and with busy polling.
fn lock_step(blksize: u16) -> [Workload; 2] {
    let load = Load::one("get", blksize, 1, u64::from(blksize) * 128 * KIB);
    [
        Workload {
            name: format!("get-{blksize}x1"),
            title: format!("get, blksize {blksize}, lock-step"),
            contestants: everybody(&[], load),
            bars: vec![
                Cpu(1.10, BestPeer),
                Throughput(0.90, BestPeer),
                Cpu(1.05, Floor),
                Throughput(0.95, Floor),
                Calls(3.1),
            ],
        },
        Workload {
            name: format!("get-{blksize}x1-busy"),
            title: format!("get, blksize {blksize}, lock-step, with --busy-poll 100"),
            contestants: everybody(&["--busy-poll", "100"], Load { busy_poll: true, ..load }),
            bars: vec![Throughput(2.0, BestPeer)],
        },
    ]
}

/// Ours through one port, beside a port for each transfer.
fn single_port() -> impl Iterator<Item = Workload> {
    const MANY: &str = "many ports";
    let loads = [
        ("get-1428x16", "get, blksize 1428, windowsize 16", Load::one("get", 1428, 16, 256 * MIB)),
        ("put-1428x16", "put, blksize 1428, windowsize 16", Load::one("put", 1428, 16, 256 * MIB)),
        ("get-512x1", "get, blksize 512, lock-step", Load::one("get", 512, 1, 64 * MIB)),
        ("tiny", TINY, tiny()),
    ];
    let ours = |label: &str, arguments, load| Contestant {
        label: label.into(),
        server: Server::Ours,
        arguments,
        load,
    };
    loads.into_iter().map(move |(name, title, load)| Workload {
        name: format!("single-port-{name}"),
        title: format!("{title}, --single-port"),
        contestants: vec![
            ours("single port", &["--single-port"][..], load),
            ours(MANY, &[][..], load),
        ],
        bars: vec![Cpu(1.05, Ourselves(MANY)), Throughput(0.95, Ourselves(MANY))],
    })
}

const TINY: &str = "20,000 files of 1 KiB by 64 clients";

fn tiny() -> Load {
    Load { files: 20_000, clients: 64, transfers: 20_000, ..Load::one("get", 1428, 1, KIB) }
}

fn crowds() -> [Workload; 3] {
    let storm =
        Load { files: 1000, clients: 1000, transfers: 1000, ..Load::one("get", 1428, 4, MIB) };
    [
        Workload {
            name: "storm".into(),
            title: "1,000 clients at once, 1 MiB each, blksize 1428, windowsize 4".into(),
            contestants: everybody(&[], storm),
            bars: vec![
                Throughput(2.5, Peer(Server::RsTftpd)),
                Throughput(2.0, BestPeer),
                NoRequestRepeated,
            ],
        },
        Workload {
            name: "tiny".into(),
            title: TINY.into(),
            contestants: everybody(&[], tiny()),
            bars: vec![Cpu(1.0, Peer(Server::Dnsmasq)), Throughput(1.0, Peer(Server::Dnsmasq))],
        },
        Workload {
            name: "many".into(),
            title: "100,000 concurrent transfers of 16 blocks, beside 100 times 1,000, single port"
                .into(),
            contestants: vec![crowd(1_000), crowd(100_000)],
            bars: vec![CpuPerDatagram(1.5)],
        },
    ]
}

/// Readers of files of 32 MiB that must come from a disk; see `cold.rs`.
pub(crate) fn cold(quick: bool) -> Vec<Contestant> {
    let (clients, size) = if quick { (2, MIB) } else { (16, 32 * MIB) };
    let load =
        Load { files: clients, clients, transfers: clients, ..Load::one("get", 1428, 16, size) };
    everybody(&["--workers", "1"], load)
}

/// All servers that can, ours first.
fn everybody(arguments: &'static [&'static str], load: Load) -> Vec<Contestant> {
    let floor_arguments: &[&str] = if load.busy_poll { &["--busy-poll"] } else { &[] };
    let mut contestants = vec![
        Contestant { label: "tftpd".into(), server: Server::Ours, arguments, load },
        Contestant { arguments: floor_arguments, ..contestant(Server::Floor, load) },
    ];
    let peers = Server::PEERS.into_iter();
    contestants.extend(
        peers
            .filter(|peer| load.operation == "get" || peer.stores())
            .map(|peer| contestant(peer, load)),
    );
    contestants
}

fn contestant(server: Server, load: Load) -> Contestant {
    Contestant { label: server.name().into(), server, arguments: &[], load }
}

/// Simulated clients of our server in single-port mode, 100,000 transfers in all.
fn crowd(clients: u32) -> Contestant {
    let load = Load {
        clients,
        transfers: 100_000,
        per_socket: (clients / 16).max(2),
        waiting: 1000,
        ..Load::one("get", 1428, 1, 1428 * 16 - 1)
    };
    Contestant {
        label: format!("{clients} clients"),
        server: Server::Ours,
        arguments: &["--single-port", "--max-transfers", "100000", "--max-half-open", "100000"],
        load,
    }
}
