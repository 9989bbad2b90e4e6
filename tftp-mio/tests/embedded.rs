//! The server inside of another program, with a storage of that program's own.

use std::{
    borrow::Cow,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use tftp_core::ErrorCode;
use tftp_mio::{
    server::{Config, Server},
    storage::{Denied, Sink, Source, Storage, Wanted},
};

/// Takes any upload, says when it is to be made durable, and takes as long for that as it is told.
struct SlowDisk {
    begun: Sender<()>,
    may_end: Arc<Mutex<Receiver<()>>>,
}

impl Storage for SlowDisk {
    fn open(&self, _: &Wanted<'_>) -> Result<Box<dyn Source>, Denied> {
        let text = Cow::Borrowed("for writing only");
        Err(Denied { code: ErrorCode::ACCESS_VIOLATION, text })
    }

    fn create(&self, _: &Wanted<'_>) -> Result<Box<dyn Sink>, Denied> {
        Ok(Box::new(Self { begun: self.begun.clone(), may_end: Arc::clone(&self.may_end) }))
    }
}

impl Sink for SlowDisk {
    fn seekable(&self) -> bool {
        true
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.begun.send(()).map_err(io::Error::other)?;
        let may_end = self.may_end.lock().map_err(|_| io::Error::other("poisoned"))?;
        may_end.recv_timeout(Duration::from_secs(10)).map_err(io::Error::other)
    }
}

#[test]
fn an_upload_is_acknowledged_when_it_is_stored_even_if_the_server_stops_at_once() {
    let (begun, has_begun) = channel();
    let (end, may_end) = channel();
    let disk = SlowDisk { begun, may_end: Arc::new(Mutex::new(may_end)) };
    let listen = vec!["127.0.0.1:0".parse().expect("an address")];
    let config = Config { listen, ..Config::default() };
    let server = Server::bind(&config, Arc::new(disk)).expect("a free port");
    let address = server.local_addrs()[0];
    let stopper = server.stopper();
    let running = thread::spawn(move || server.run());

    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out above zero");
    let mut buffer = [0; 600];
    let mut receive = || {
        let (len, from) = client.recv_from(&mut buffer).expect("an answer in time");
        (buffer[..len].to_vec(), from)
    };
    client.send_to(b"\0\x02new\0octet\0timeout\x005\0", address).expect("loopback takes it");
    let (oack, tid) = receive();
    assert_eq!(oack, b"\0\x06timeout\x005\0");
    client.send_to(b"\0\x03\0\x01content", tid).expect("loopback takes it");
    has_begun.recv().expect("the upload is being stored");

    // While the disk works the other requests are served, and this one is not acknowledged.
    client.send_to(b"\0\x01file\0octet\0", address).expect("loopback takes it");
    assert_eq!(receive().0, b"\0\x05\0\x02for writing only\0");
    stopper.stop();
    stopper.stop();
    wait_until_nobody_listens(address);
    end.send(()).expect("the disk waits");
    assert_eq!(receive(), (b"\0\x04\0\x01".to_vec(), tid));
    running.join().expect("no panic").expect("a peaceful end");
}

/// Asks until the kernel says that the port is closed.
fn wait_until_nobody_listens(address: SocketAddr) {
    let late = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    late.connect(address).expect("an address");
    late.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out above zero");
    loop {
        let asked = late.send(b"\0\x04\0\x01").and_then(|_| late.recv(&mut [0; 600]));
        if asked.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return;
        }
    }
}
