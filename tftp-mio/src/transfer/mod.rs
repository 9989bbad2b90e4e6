//! One transfer on one socket: a state machine of tftp-core and the content it moves.
//!
//! This is where the canonical loop of tftp-core meets files and sockets; server and client share
//! it. Both give it datagrams and the time, then [`pump`](Transfer::pump) it.

mod ahead;
mod gathered;
mod outbox;

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
};

use arrayvec::ArrayVec;
use tftp_core::{
    Burst, ErrorCode, Instant, Params, Received, Receiver, SMALL_PACKET, Sender, Stats, Status,
    Transmit, UNKNOWN_TID, Verdict,
};

use crate::{
    observe::{Direction, Watch},
    socket::{Route, Socket},
    storage::{Fetch, Sink, Source, trouble},
};

use ahead::Claim;
use gathered::Gathered;
pub(crate) use outbox::Outbox;
use outbox::{LITTLE, MOST_PACKETS};

/// What a transfer moves.
pub(crate) enum Content {
    Source(Box<dyn Source>),
    Sink(Box<dyn Sink>),
}

/// Bytes that one transfer may send before the others have their turn.
const TURN: usize = 1024 * 1024;

/// What pumping came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// There is nothing to send now.
    Idle,
    /// The source has nothing to read at this offset yet: pump again when it has. Who has a helper
    /// [fetches](Transfer::fetch) it.
    Starved { offset: u64 },
    /// The socket is full: pump again when it is writable.
    Blocked,
    /// The transfer has had its turn: pump again when the others have had theirs.
    More,
}

pub(crate) struct Transfer {
    half: Half,
    rare: Option<Box<Rare>>,
}

/// What few of a server's transfers have: there are many of them.
#[derive(Default)]
struct Rare {
    /// A client's encoded request, to be repeated.
    request: Box<[u8]>,
    /// Who sees a client's packets pass.
    watch: Option<Watch>,
    /// Trouble with the content, which has ended the transfer.
    content_error: Option<io::Error>,
}

enum Half {
    Sending {
        machine: Sender,
        source: Box<dyn Source>,
        claim: Claim,
        /// Content is being brought; nothing is read before that.
        fetching: bool,
    },
    /// The larger machine is elsewhere: most transfers of a server are reads.
    Receiving { machine: Box<Receiver>, storing: Storing },
}

/// Why a packet has not left.
enum Held {
    /// The source has nothing to read at this offset yet.
    Starved(u64),
    Unsent(io::Error),
}

/// Calls the method that both machines have by the same name.
macro_rules! machine {
    ($half:expr => $method:ident($($argument:expr),*)) => {
        match $half {
            Half::Sending { machine, .. } => machine.$method($($argument),*),
            Half::Receiving { machine, .. } => machine.$method($($argument),*),
        }
    };
}

/// Where received bytes stand.
enum Storing {
    /// More are expected.
    Open(Box<dyn Sink>),
    /// All are there, and the driver is making them durable; no ACK leaves before that.
    Finishing,
    /// The file is stored, or given up.
    Over,
}

impl Transfer {
    pub(crate) fn sending(machine: Sender, source: Box<dyn Source>) -> Self {
        let half = Half::Sending { machine, source, claim: Claim::default(), fetching: false };
        Self { half, rare: None }
    }

    pub(crate) fn receiving(machine: Receiver, sink: Box<dyn Sink>) -> Self {
        let half = Half::Receiving { machine: Box::new(machine), storing: Storing::Open(sink) };
        Self { half, rare: None }
    }

    /// A client's, with the datagram that opens it; its packets are shown to an observer.
    pub(crate) fn of_client(mut self, request: &[u8], watch: Option<Watch>) -> Self {
        self.rare = Some(Box::new(Rare { request: request.into(), watch, content_error: None }));
        self
    }

    /// Takes datagrams that one sender has sent at once, and gives `heed` what is to be answered or
    /// told of any. A sink that is returned holds the whole file: [`finish`](Sink::finish) it, then
    /// call [`finished`](Self::finished).
    pub(crate) fn handle_datagrams<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagrams: impl Iterator<Item = &'d [u8]>,
        mut heed: impl FnMut(Verdict<'d>),
    ) -> Option<Box<dyn Sink>> {
        let mut gathered = Gathered::default();
        for datagram in datagrams {
            if let Some(watch) = self.watch() {
                watch.saw(Direction::Received, from, datagram);
            }
            let machine = match &mut self.half {
                Half::Sending { machine, .. } => {
                    heed(machine.handle_datagram(now, from, datagram));
                    continue;
                }
                Half::Receiving { machine, .. } => machine,
            };
            match machine.handle_datagram(now, from, datagram) {
                Received::Other(verdict) => heed(verdict),
                Received::Data(chunk) => {
                    if !gathered.add(&chunk) {
                        self.write(&mut gathered);
                        gathered = Gathered::default();
                        gathered.add(&chunk);
                    }
                }
            }
        }
        self.write(&mut gathered)
    }

    /// Writes what was gathered. Returns the sink where it holds the whole file.
    fn write(&mut self, gathered: &mut Gathered<'_>) -> Option<Box<dyn Sink>> {
        let Half::Receiving { storing, .. } = &mut self.half else { return None };
        let Storing::Open(sink) = storing else { return None };
        if let Err(error) = gathered.write_to(sink.as_mut()) {
            *storing = Storing::Over;
            self.content_failed(error);
            return None;
        }
        if !gathered.last {
            return None;
        }
        match std::mem::replace(storing, Storing::Finishing) {
            Storing::Open(sink) => Some(sink),
            Storing::Finishing | Storing::Over => None,
        }
    }

    /// The sink that [`handle_datagrams`](Self::handle_datagrams) returned has been finished: its
    /// last ACK may leave, or the peer is told that it failed.
    pub(crate) fn finished(&mut self, result: io::Result<()>) {
        if let Half::Receiving { storing, .. } = &mut self.half {
            *storing = Storing::Over;
        }
        if let Err(error) = result {
            self.content_failed(error);
        }
    }

    pub(crate) fn handle_repeated_request(&mut self, now: Instant) {
        machine!(&mut self.half => handle_repeated_request(now));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        machine!(&mut self.half => handle_timeout(now));
    }

    pub(crate) fn handle_unreachable(&mut self) {
        machine!(&mut self.half => handle_unreachable());
    }

    pub(crate) fn abort(&mut self, code: ErrorCode, text: &'static str) {
        match &mut self.half {
            Half::Sending { machine, .. } => machine.abort(code, text),
            Half::Receiving { machine, storing } => match storing {
                Storing::Open(_) => {
                    machine.abort(code, text);
                    *storing = Storing::Over;
                }
                // The file is whole, and will have its name: to tell anything else would be wrong.
                Storing::Finishing => {}
                Storing::Over => machine.abort(code, text),
            },
        }
    }

    /// Whether it is our file that goes out; then only small packets come in.
    pub(crate) fn is_sending(&self) -> bool {
        matches!(self.half, Half::Sending { .. })
    }

    /// Whether a file goes out one block at a time.
    pub(crate) fn is_lock_step(&self) -> bool {
        matches!(&self.half, Half::Sending { machine, .. } if machine.is_lock_step())
    }

    /// Whether a file goes out in lock-step, and no ACK that may wait in the socket changes what is sent
    /// next.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(&self.half, Half::Sending { machine, .. } if machine.is_answered())
    }

    /// Whether all is stored, and only the last ACK may have to be repeated.
    pub(crate) fn is_lingering(&self) -> bool {
        matches!(&self.half, Half::Receiving { machine, .. }
            if matches!(machine.status(), Status::Lingering(_)))
    }

    /// Whether an upload is whole and being stored.
    pub(crate) fn is_finishing(&self) -> bool {
        matches!(self.half, Half::Receiving { storing: Storing::Finishing, .. })
    }

    /// Lets an upload go that has failed, so that nothing is left of it once its peer is told.
    pub(crate) fn let_go_if_failed(&mut self) {
        if let Half::Receiving { machine, storing: storing @ Storing::Open(_) } = &mut self.half
            && matches!(machine.status(), Status::Failed(_))
        {
            *storing = Storing::Over;
        }
    }

    /// Sends what there is to send, within one turn. `from` is the address of ours to send from, on a
    /// socket that is not bound to one. `unsent` is told what the system said of datagrams that it
    /// would not send.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        socket: &Socket,
        from: Option<IpAddr>,
        outbox: &mut Outbox,
        mut unsent: impl FnMut(io::Error),
    ) -> Pumped {
        if self.is_finishing() || self.is_fetching() {
            return Pumped::Idle;
        }
        let mut sent = 0;
        while sent < TURN {
            let transmit = machine!(&mut self.half => poll_transmit(now, &mut outbox.small));
            let route = Route { to: self.peer(), from };
            sent += SMALL_PACKET;
            let outcome = match transmit {
                None => return Pumped::Idle,
                Some(Transmit::Request) => {
                    self.send(socket, route, self.request()).map_err(Held::Unsent)
                }
                Some(Transmit::Packet(len)) => {
                    self.send(socket, route, &outbox.small[..len]).map_err(Held::Unsent)
                }
                Some(Transmit::Burst(burst)) => {
                    let burst = outbox.share(burst);
                    sent += burst.framed_len();
                    self.send_burst(now, burst, socket, route, outbox)
                }
            };
            match outcome {
                // An answer is awaited, so that nothing else waits to be sent.
                Ok(()) if self.poll_timeout().is_some_and(|at| at < Instant::NEVER) => {
                    return Pumped::Idle;
                }
                Ok(()) => {}
                Err(Held::Starved(offset)) => return Pumped::Starved { offset },
                // A small packet that found the socket full is lost; its timer brings it back.
                Err(Held::Unsent(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Pumped::Blocked;
                }
                Err(Held::Unsent(error)) => unsent(error),
            }
        }
        Pumped::More
    }

    /// Tells a stranger that this is not the port it means.
    pub(crate) fn send_stray(&self, socket: &Socket, stranger: SocketAddr) -> io::Result<()> {
        self.send(socket, Route { to: stranger, from: None }, UNKNOWN_TID)
    }

    /// The datagram that a client sends again.
    fn request(&self) -> &[u8] {
        self.rare.as_ref().map_or(&[], |rare| &*rare.request)
    }

    fn watch(&self) -> Option<&Watch> {
        self.rare.as_ref()?.watch.as_ref()
    }

    fn send(&self, socket: &Socket, route: Route, datagram: &[u8]) -> io::Result<()> {
        socket.send(route, datagram)?;
        self.show_sent(route, [datagram]);
        Ok(())
    }

    fn show_sent<'p>(&self, route: Route, packets: impl IntoIterator<Item = &'p [u8]>) {
        if let Some(watch) = self.watch() {
            for packet in packets {
                watch.saw(Direction::Sent, route.to, packet);
            }
        }
    }

    /// Reads, frames, sends and commits as much of a burst as the buffers hold.
    fn send_burst(
        &mut self,
        now: Instant,
        mut burst: Burst,
        socket: &Socket,
        route: Route,
        outbox: &mut Outbox,
    ) -> Result<(), Held> {
        let Half::Sending { machine, source, claim, .. } = &mut self.half else { return Ok(()) };
        source.forget_before(machine.acknowledged());
        let read = loop {
            // Read to where they leave from, between the headers.
            let mut places = ArrayVec::<_, MOST_PACKETS>::new();
            places.extend(burst.frame(outbox.framed.packets_mut()).map(IoSliceMut::new));
            let ahead = &mut outbox.ahead;
            let read = ahead.read_at(now, claim, source.as_mut(), burst.offset(), &mut places);
            drop(places);
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // What is there of a window goes, and the rest when it comes.
                    outbox.adapt(false);
                    let Some(shorter) = outbox.share(burst).first(burst.packets() / 2) else {
                        return Err(Held::Starved(burst.offset()));
                    };
                    burst = shorter;
                }
                read => break read,
            }
        };
        match read {
            Ok(read) if read == burst.payload_len() => {}
            Ok(read) if source.size().is_none() => burst = burst.end_after(read),
            Ok(_) => {
                self.content_failed(io::ErrorKind::UnexpectedEof.into());
                return Ok(());
            }
            Err(error) => {
                self.content_failed(error);
                return Ok(());
            }
        }

        let packets = &outbox.framed.packets()[..burst.framed_len()];
        let (sent, result) =
            socket.send_packets(now, route, packets, burst.stride(), &mut outbox.paths);
        if let Some(burst) = u16::try_from(sent).ok().and_then(|sent| burst.first(sent)) {
            machine.commit(now, burst);
            self.show_sent(route, packets.chunks(burst.stride()).take(sent));
        }
        let full = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        outbox.adapt(!result.as_ref().is_err_and(full));
        result.map_err(Held::Unsent)
    }

    /// What brings the content from `offset` on, which pumping found missing. Have it done, then call
    /// [`fetched`](Self::fetched), also where that is not possible; until then nothing is read.
    pub(crate) fn fetch(&mut self, offset: u64) -> Option<Fetch> {
        let Half::Sending { source, fetching, .. } = &mut self.half else { return None };
        let fetch = source.fetch(offset, LITTLE);
        *fetching = fetch.is_some();
        fetch
    }

    pub(crate) fn fetched(&mut self, result: io::Result<()>) {
        if let Half::Sending { fetching, .. } = &mut self.half {
            *fetching = false;
        }
        if let Err(error) = result {
            self.content_failed(error);
        }
    }

    /// Whether there is nothing to send before content was fetched; an ERROR need not wait.
    fn is_fetching(&self) -> bool {
        matches!(self.half, Half::Sending { fetching: true, .. })
            && matches!(self.status(), Status::Opening | Status::Active(_))
    }

    fn content_failed(&mut self, error: io::Error) {
        let (code, text) = trouble(&error);
        self.rare.get_or_insert_default().content_error = Some(error);
        self.abort(code, text);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when all is over.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_finishing() {
            return Some(Instant::NEVER);
        }
        machine!(&self.half => poll_timeout())
    }

    pub(crate) fn status(&self) -> Status {
        machine!(&self.half => status())
    }

    pub(crate) fn stats(&self) -> Stats {
        machine!(&self.half => stats())
    }

    pub(crate) fn params(&self) -> Params {
        machine!(&self.half => params())
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        machine!(&self.half => peer())
    }

    pub(crate) fn is_proved(&self) -> bool {
        machine!(&self.half => is_proved())
    }

    /// Gives the content back, as long as a sink has not been finished.
    pub(crate) fn into_content(self) -> Option<Content> {
        match self.half {
            Half::Sending { source, .. } => Some(Content::Source(source)),
            Half::Receiving { storing: Storing::Open(sink), .. } => Some(Content::Sink(sink)),
            Half::Receiving { storing: Storing::Finishing | Storing::Over, .. } => None,
        }
    }

    /// Trouble with the content, if that is what ended the transfer.
    pub(crate) fn take_content_error(&mut self) -> Option<io::Error> {
        self.rare.as_mut()?.content_error.take()
    }
}
