//! The server inside of another program, with a storage of that program's own.

use std::{
    borrow::Cow,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use tftp_core::ErrorCode;
use tftp_mio::{
    server::{Config, Server},
    storage::{Denied, Fetch, Sink, Source, Storage, Wanted},
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

/// Files of one byte. Reading "cold" takes somebody who fetches it, and that as long as he is told.
struct ColdDisk {
    begun: Sender<()>,
    may_end: Arc<Mutex<Receiver<()>>>,
}

/// `disk` is there as long as somebody has to fetch the file.
struct ColdFile {
    disk: Option<ColdDisk>,
    fetched: Arc<AtomicBool>,
}

impl Storage for ColdDisk {
    fn open(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Source>, Denied> {
        let cold = wanted.name == b"cold";
        let disk = Self { begun: self.begun.clone(), may_end: Arc::clone(&self.may_end) };
        let fetched = Arc::new(AtomicBool::new(!cold));
        Ok(Box::new(ColdFile { disk: Some(disk), fetched }))
    }

    fn create(&self, _: &Wanted<'_>) -> Result<Box<dyn Sink>, Denied> {
        Err(Denied::BUSY)
    }
}

impl Source for ColdFile {
    fn size(&self) -> Option<u64> {
        Some(1)
    }

    fn read_at(&mut self, _: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.fetched.load(Ordering::Acquire) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffer[0] = b'!';
        Ok(1)
    }

    fn fetch(&mut self, offset: u64, len: usize) -> Option<Fetch> {
        assert!(offset == 0 && len > 0);
        let (disk, fetched) = (self.disk.take()?, Arc::clone(&self.fetched));
        Some(Box::new(move || {
            disk.begun.send(()).expect("the test waits for it");
            let may_end = disk.may_end.lock().expect("no panic");
            may_end.recv_timeout(Duration::from_secs(10)).expect("the test lets it end");
            fetched.store(true, Ordering::Release);
        }))
    }
}

#[test]
fn content_that_has_to_be_fetched_holds_up_no_other_transfer() {
    let (begun, has_begun) = channel();
    let (end, may_end) = channel();
    let disk = ColdDisk { begun, may_end: Arc::new(Mutex::new(may_end)) };
    let listen = vec!["127.0.0.1:0".parse().expect("an address")];
    let config = Config { listen, ..Config::default() };
    let server = Server::bind(&config, Arc::new(disk)).expect("a free port");
    let address = server.local_addrs()[0];
    let stopper = server.stopper();
    let running = thread::spawn(move || server.run());

    let [cold, warm] = [(); 2].map(|()| {
        let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        client.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out above zero");
        client
    });
    let receive = |client: &UdpSocket| {
        let mut buffer = [0; 600];
        let (len, from) = client.recv_from(&mut buffer).expect("an answer in time");
        assert_eq!(buffer[..len], *b"\0\x03\0\x01!");
        from
    };
    cold.send_to(b"\0\x01cold\0octet\0", address).expect("loopback takes it");
    has_begun.recv_timeout(Duration::from_secs(10)).expect("somebody fetches it");
    warm.send_to(b"\0\x01warm\0octet\0", address).expect("loopback takes it");
    let tid = receive(&warm);
    warm.send_to(b"\0\x04\0\x01", tid).expect("loopback takes it");
    end.send(()).expect("the disk waits");
    let tid = receive(&cold);
    cold.send_to(b"\0\x04\0\x01", tid).expect("loopback takes it");
    stopper.stop();
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
