//! The client engine inside of another program.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, UdpSocket},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tftp_core::{BlockSize, Mode, Timeout, WindowSize};
use tftp_mio::client::{Client, Direction, Passing, Report, Settings, Sink, Source, TransferError};

/// Takes whatever comes.
struct Nowhere;

impl Sink for Nowhere {
    fn seekable(&self) -> bool {
        true
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// Takes whatever comes, and tells when it is to be stored.
struct Told(mpsc::Sender<()>);

impl Sink for Told {
    fn seekable(&self) -> bool {
        true
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.send(()).expect("the test listens");
        Ok(())
    }
}

/// A file in memory.
struct Bytes(&'static [u8]);

impl Source for Bytes {
    fn size(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn read_at(&mut self, offset: u64, mut buffer: &mut [u8]) -> io::Result<usize> {
        let offset = usize::try_from(offset).expect("a short file");
        buffer.write(self.0.get(offset..).unwrap_or_default())
    }
}

#[test]
fn the_last_ack_is_repeated_while_the_client_goes_on() {
    let (server, address) = server();
    let peer = thread::spawn(move || {
        let first = serve(&server, b'a');
        let (_, second) = receive(&server);
        // The first transfer is over for the client's user; the server asks for its ACK again.
        server.send_to(b"\0\x03\0\x01a", first).expect("loopback takes it");
        assert_eq!(receive(&server), (b"\0\x04\0\x01".to_vec(), first));
        server.send_to(b"\0\x05\0\x01\0", second).expect("loopback takes it");
    });
    let mut client = Client::new().expect("a poll descriptor");
    let settings = Settings { timeout: Timeout::new(60).ok(), ..Settings::default() };
    get(&mut client, address, b"a", &settings).expect("a file");
    assert!(get(&mut client, address, b"b", &settings).is_err());
    peer.join().expect("the script was followed");
}

#[test]
fn dropping_the_client_does_not_wait_for_a_long_negotiated_timeout() {
    let (server, address) = server();
    let peer = thread::spawn(move || serve(&server, b'a'));
    let mut client = Client::new().expect("a poll descriptor");
    let settings = Settings { timeout: Timeout::new(60).ok(), ..Settings::default() };
    get(&mut client, address, b"a", &settings).expect("a file");
    peer.join().expect("the script was followed");
    let dropped = Instant::now();
    drop(client);
    assert!(dropped.elapsed() < Duration::from_secs(20), "{:?}", dropped.elapsed());
}

#[test]
fn one_local_port_serves_one_transfer_after_the_other() {
    let port = free_port();
    let (server, address) = server();
    let peer = thread::spawn(move || [serve(&server, b'a'), serve(&server, b'b')]);
    let mut client = Client::new().expect("a poll descriptor");
    let settings = Settings {
        timeout: Timeout::new(60).ok(),
        local_ports: Some(port..=port),
        ..Settings::default()
    };
    get(&mut client, address, b"a", &settings).expect("a file");
    get(&mut client, address, b"b", &settings).expect("the port of the first transfer");
    let from = peer.join().expect("the script was followed");
    assert_eq!(from.map(|from| from.port()), [port; 2]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_unreachable_port_ends_a_request_and_no_running_transfer() {
    let (server, address) = server();
    let mut client = Client::new().expect("a poll descriptor");
    let (acknowledged, acknowledgements) = mpsc::channel();
    client.observe(Some(Arc::new(move |packet: &Passing<'_>| {
        if packet.direction == Direction::Sent && packet.datagram == b"\0\x04\0\x01" {
            let _ = acknowledged.send(());
        }
    })));
    let peer = thread::spawn(move || {
        let (_, from) = receive(&server);
        server.send_to(&[&[0, 3, 0, 1], &[b'x'; 512][..]].concat(), from).expect("loopback");
        // Its ACK finds nobody, and the system tells the client so.
        drop(server);
        acknowledgements.recv_timeout(Duration::from_secs(20)).expect("an ACK");
        let server = UdpSocket::bind(address).expect("the port of before");
        server.send_to(b"\0\x03\0\x02", from).expect("loopback");
        server
    });
    let settings = Settings { options: false, ..Settings::default() };
    let report = get(&mut client, address, b"a", &settings).expect("a file");
    assert_eq!(report.bytes, 512);

    drop(peer.join().expect("the script was followed"));
    let error = get(&mut client, address, b"a", &settings).expect_err("nobody there");
    let TransferError::Network(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_is_gone_is_given_up_after_a_second_of_refusals() {
    /// Answers the request and is killed: whatever is sent to it from then on finds nobody.
    fn dying_after(answer: Vec<u8>) -> SocketAddr {
        let (server, address) = server();
        thread::spawn(move || {
            let (_, from) = receive(&server);
            server.send_to(&answer, from).expect("loopback");
        });
        address
    }
    let mut client = Client::new().expect("a poll descriptor");
    let settings = Settings { options: false, ..Settings::default() };
    let began = Instant::now();
    let lost = [
        get(&mut client, dying_after([&[0, 3, 0, 1], &[b'x'; 512][..]].concat()), b"a", &settings),
        put(&mut client, dying_after(b"\0\x04\0\0".to_vec()), &[b'x'; 600], &settings),
    ];
    // Silence alone takes more than a minute.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    for result in lost {
        let error = result.expect_err("nobody there");
        let TransferError::Lost(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    // Whoever has got everything may have it.
    let result = put(&mut client, dying_after(b"\0\x04\0\0".to_vec()), b"all", &settings);
    assert!(matches!(result, Err(TransferError::Unconfirmed)), "{result:?}");
}

#[test]
fn a_file_that_is_not_as_long_as_announced_is_not_stored() {
    let mut client = Client::new().expect("a poll descriptor");
    for (announced, wrong) in [("2", Some((2, 3))), ("4", Some((4, 3))), ("3", None), ("0", None)] {
        let (server, address) = server();
        let peer = thread::spawn(move || {
            let (_, from) = receive(&server);
            server
                .send_to(format!("\0\x06tsize\0{announced}\0").as_bytes(), from)
                .expect("loopback");
            assert_eq!(receive(&server).0, b"\0\x04\0\0");
            server.send_to(b"\0\x03\0\x01abc", from).expect("loopback");
            receive(&server).0
        });
        let (stored, is_stored) = mpsc::channel();
        let settings = Settings::default();
        let result = client.get(address, b"a", &settings, Box::new(Told(stored)), &mut |_| {});
        let answer = peer.join().expect("the script was followed");
        if let Some(wrong) = wrong {
            let Err(TransferError::Size { announced, received }) = result else {
                panic!("{result:?}")
            };
            assert_eq!((announced, received), wrong);
            assert_eq!(answer, b"\0\x05\0\0the file is not as long as its tsize\0");
            assert!(is_stored.recv().is_err());
        } else {
            assert_eq!(result.expect("a file").bytes, 3);
            assert_eq!(answer, b"\0\x04\0\x01");
            assert_eq!(is_stored.recv(), Ok(()));
        }
    }
}

/// Such a window would lose its end every time.
#[test]
fn no_window_is_asked_for_that_the_receive_buffer_cannot_hold() {
    const BLOCK: u16 = 65_464;
    let (server, address) = server();
    let peer = thread::spawn(move || {
        let (request, from) = receive(&server);
        let request = String::from_utf8(request).expect("text");
        let fields: Vec<&str> = request.split('\0').skip(2).collect();
        let ["octet", "blksize", "65464", "windowsize", window, "tsize", "0", ""] = fields[..]
        else {
            panic!("{fields:?}")
        };
        server
            .send_to(format!("\0\x06blksize\065464\0windowsize\0{window}\0").as_bytes(), from)
            .expect("loopback");
        assert_eq!(receive(&server).0, b"\0\x04\0\0");
        let window = window.parse().expect("a small number");
        assert!((1..=32).contains(&window), "{window}");
        for number in 1..=window {
            let block = [&[0, 3, 0, number][..], &vec![7; BLOCK.into()]].concat();
            server.send_to(&block, from).expect("loopback");
        }
        // On a busy machine a pause of ours draws one of an earlier block.
        while receive(&server).0 != [0, 4, 0, window] {}
        server.send_to(&[0, 3, 0, window + 1], from).expect("loopback");
        while receive(&server).0 != [0, 4, 0, window + 1] {}
        // What goes out is for the other side to hold.
        let (request, from) = receive(&server);
        let request = String::from_utf8(request).expect("text");
        assert!(request.contains("\0windowsize\x0064\0"), "{request:?}");
        server.send_to(b"\0\x05\0\x01\0", from).expect("loopback");
        window
    });
    let mut client = Client::new().expect("a poll descriptor");
    let settings = Settings {
        block_size: BlockSize::new(BLOCK).expect("the largest"),
        window_size: WindowSize::new(64).expect("not zero"),
        ..Settings::default()
    };
    let report = get(&mut client, address, b"a", &settings).expect("a file");
    assert!(put(&mut client, address, b"a", &settings).is_err());
    let window = peer.join().expect("the script was followed");
    assert_eq!(report.narrowed, WindowSize::new(window.into()).ok());
    assert_eq!(report.bytes, u64::from(window) * u64::from(BLOCK));
}

#[test]
fn no_size_is_asked_for_in_netascii() {
    let (server, address) = server();
    let peer = thread::spawn(move || {
        let (request, from) = receive(&server);
        server.send_to(b"\0\x05\0\x01\0", from).expect("loopback");
        request
    });
    let mut client = Client::new().expect("a poll descriptor");
    let settings = Settings { mode: Mode::Netascii, ..Settings::default() };
    assert!(get(&mut client, address, b"a", &settings).is_err());
    let request = peer.join().expect("the script was followed");
    assert_eq!(request, b"\0\x01a\0netascii\0blksize\x001428\0");
}

#[test]
fn a_local_port_that_is_taken_is_no_network_trouble() {
    let taken = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let port = taken.local_addr().expect("a bound socket").port();
    let (_server, address) = server();
    let mut client = Client::new().expect("a poll descriptor");
    let settings = Settings { local_ports: Some(port..=port), ..Settings::default() };
    let error = get(&mut client, address, b"a", &settings).expect_err("no port");
    let TransferError::Socket(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[cfg(target_os = "linux")]
#[test]
fn many_transfers_leave_one_thread_and_a_bounded_number_of_sockets() {
    use std::fs;

    use tftp_mio::{
        server::{Config, Server},
        storage::{Folder, WritePolicy},
    };

    /// How many entries of a folder of /proc name what the client has.
    fn count(folder: &str, is_ours: impl Fn(&fs::DirEntry) -> bool) -> usize {
        let entries = fs::read_dir(folder).expect("/proc is mounted");
        entries.filter(|entry| entry.as_ref().is_ok_and(&is_ours)).count()
    }
    /// One that has ended meanwhile has no name.
    fn lingers(task: &fs::DirEntry) -> bool {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        name.trim_end() == "tftp-linger"
    }

    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a"), "content").expect("a file");
    let storage = Folder::open(folder.path(), WritePolicy::Never).expect("a folder");
    let listen = vec!["127.0.0.1:0".parse().expect("an address")];
    let server = Server::bind(&Config { listen, ..Config::default() }, Arc::new(storage));
    let server = server.expect("a free port");
    let (address, stopper) = (server.local_addrs()[0], server.stopper());
    let running = thread::spawn(move || server.run());

    let mut client = Client::new().expect("a poll descriptor");
    let before = count("/proc/self/fd", |_| true);
    let (mut sockets, mut threads) = (0, 0);
    // A negotiated time-out keeps each of them lingering longer than this test takes.
    let settings = Settings { timeout: Timeout::new(60).ok(), ..Settings::default() };
    for _ in 0..300 {
        get(&mut client, address, b"a", &settings).expect("a file");
        sockets = sockets.max(count("/proc/self/fd", |_| true));
        threads = threads.max(count("/proc/self/task", lingers));
    }
    // 64 that linger, 16 on their way to it, and some room for the server and for other tests.
    assert!(sockets <= before + 64 + 16 + 40, "{sockets} descriptors, {before} before");
    // The other tests of this process have a client each.
    assert!(threads <= 4, "{threads} threads");
    stopper.stop();
    drop(client);
    running.join().expect("no panic").expect("a peaceful end");
}

fn get(
    client: &mut Client,
    server: SocketAddr,
    name: &[u8],
    settings: &Settings,
) -> Result<Report, TransferError> {
    client.get(server, name, settings, Box::new(Nowhere), &mut |_| {})
}

fn put(
    client: &mut Client,
    server: SocketAddr,
    content: &'static [u8],
    settings: &Settings,
) -> Result<Report, TransferError> {
    client.put(server, b"a", settings, Box::new(Bytes(content)), &mut |_| {})
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.local_addr().expect("a bound socket").port()
}

fn server() -> (UdpSocket, SocketAddr) {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    server.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out above zero");
    let address = server.local_addr().expect("a bound socket");
    (server, address)
}

/// Serves a file of one byte, with a time-out of 60 seconds, and returns who asked.
fn serve(server: &UdpSocket, byte: u8) -> SocketAddr {
    let (_, from) = receive(server);
    server.send_to(b"\0\x06timeout\x0060\0", from).expect("loopback takes it");
    assert_eq!(receive(server), (b"\0\x04\0\0".to_vec(), from));
    server.send_to(&[0, 3, 0, 1, byte], from).expect("loopback takes it");
    assert_eq!(receive(server), (b"\0\x04\0\x01".to_vec(), from));
    from
}

fn receive(server: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 600];
    let (len, from) = server.recv_from(&mut buffer).expect("a packet in time");
    (buffer[..len].to_vec(), from)
}
