//! A transfer in lock-step that goes on while other things happen, and how long each of its blocks
//! takes to come.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tftp_benches::Pattern;
use tftp_core::{
    BlockSize, Instant, Mode, Operation, Options, Order, Received, Receiver, Request, SMALL_PACKET,
    Status, Timing, Transmit,
};

/// The file that is read.
const NAME: &str = "pulse";

/// Read whole within a second, so that no system takes its content for forgotten; and long enough that
/// few transfers begin while something is watched.
const SIZE: u64 = 16 << 20;

const BLOCK_SIZE: u16 = 1428;

/// How late a time-out may be noticed.
const LOOK: Duration = Duration::from_millis(100);

/// A thread that reads the same file over and over. The first block of each transfer has no gap
/// before it.
pub(crate) struct Pulse {
    beats: Arc<Beats>,
    thread: JoinHandle<io::Result<()>>,
}

#[derive(Default)]
struct Beats {
    /// Nanoseconds from one block to the next.
    gaps: Mutex<Vec<u64>>,
    over: AtomicBool,
}

impl Pulse {
    /// Writes the file into the folder that is to be served.
    pub(crate) fn write_file(root: &Path) -> io::Result<()> {
        Pattern::default().write(&root.join(NAME), 0, SIZE)
    }

    pub(crate) fn start(server: SocketAddr) -> io::Result<Self> {
        let beats = Arc::<Beats>::default();
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(LOOK))?;
        let theirs = Arc::clone(&beats);
        let beat = move || {
            let pattern = Pattern::default();
            while !theirs.over.load(Ordering::Relaxed) {
                read(&socket, server, &pattern, &theirs)?;
            }
            Ok(())
        };
        Ok(Self { beats, thread: thread::Builder::new().name(NAME.into()).spawn(beat)? })
    }

    /// Does something, and returns the gaps that have ended meanwhile.
    pub(crate) fn during<T>(
        &self,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<(T, Vec<u64>)> {
        self.beats.gaps().clear();
        let done = work()?;
        let gaps = std::mem::take(&mut *self.beats.gaps());
        if gaps.is_empty() || self.thread.is_finished() {
            return Err(io::Error::other("the transfer in lock-step has come to an end"));
        }
        Ok((done, gaps))
    }

    pub(crate) fn stop(self) -> io::Result<()> {
        self.beats.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the transfer in lock-step panicked"))?
    }
}

impl Beats {
    fn gaps(&self) -> MutexGuard<'_, Vec<u64>> {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the file once, or until nobody wants to know any more.
fn read(
    socket: &UdpSocket,
    server: SocketAddr,
    pattern: &Pattern,
    beats: &Beats,
) -> io::Result<()> {
    let began = std::time::Instant::now();
    let now = || Instant::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let options = Options::NONE.with_block_size(BlockSize::new(BLOCK_SIZE).expect("in range"));
    let request = Request {
        operation: Operation::Read,
        filename: NAME.as_bytes(),
        mode: Mode::Octet,
        options,
    };
    let mut machine = Receiver::request(now(), server, options, Order::Strict, Timing::CLIENT);
    let (mut small, mut arrived) = ([0; SMALL_PACKET], [0; 2048]);
    let mut last = None;
    while !beats.over.load(Ordering::Relaxed) {
        while let Some(transmit) = machine.poll_transmit(now(), &mut small) {
            let len = match transmit {
                Transmit::Packet(len) => len,
                _ => request.encode(&mut small).map_err(io::Error::other)?,
            };
            socket.send_to(&small[..len], machine.peer())?;
        }
        match machine.status() {
            Status::Opening | Status::Active(_) => {}
            Status::Lingering(_) | Status::Done(_) => return Ok(()),
            other => return Err(io::Error::other(format!("{other:?}"))),
        }
        match socket.recv_from(&mut arrived) {
            Ok((len, from)) => {
                let now = now();
                let received = machine.handle_datagram(now, from, &arrived[..len]);
                if let Received::Data(chunk) = received {
                    if chunk.bytes != pattern.bytes(0, chunk.offset, chunk.bytes.len()) {
                        return Err(io::Error::other("wrong bytes in the transfer in lock-step"));
                    }
                    if let Some(last) = last.replace(now) {
                        let gap = now.saturating_duration_since(last);
                        beats.gaps().push(u64::try_from(gap.as_nanos()).unwrap_or(u64::MAX));
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                machine.handle_timeout(now());
            }
            Err(error) => return Err(error),
        }
    }
    // The server need not wait for what never comes.
    socket.send_to(b"\0\x05\0\0enough\0", machine.peer())?;
    Ok(())
}
