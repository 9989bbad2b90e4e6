//! One transfer on one socket: a state machine of tftp-core and the content it moves.
//!
//! This is where the canonical loop of tftp-core meets files and sockets; server and client share
//! it. Both give it datagrams and the time, then [`pump`](Transfer::pump) it.

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;
use tftp_core::{
    Burst, ErrorCode, Ignored, Instant, Params, Received, Receiver, SMALL_PACKET, Sender, Stats,
    Status, Transmit, UNKNOWN_TID, Verdict,
};

use crate::{
    observe::{Direction, Watch},
    storage::{Sink, Source, trouble},
};

/// What a transfer moves.
pub(crate) enum Content {
    Source(Box<dyn Source>),
    Sink(Box<dyn Sink>),
}

/// Buffers for packets on their way out. One set serves all transfers of a loop.
pub(crate) struct Scratch {
    small: [u8; SMALL_PACKET],
    content: Box<[u8]>,
    framed: Box<[u8]>,
}

/// Bytes read, framed and sent at once: at least one packet of the largest size.
const BATCH: usize = 64 * 1024;

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            small: [0; SMALL_PACKET],
            content: vec![0; BATCH].into(),
            framed: vec![0; BATCH].into(),
        }
    }
}

/// What pumping came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// There is nothing to send now.
    Idle,
    /// The socket is full: pump again when it is writable.
    Blocked,
}

pub(crate) struct Transfer {
    half: Half,
    /// The encoded request, for a client to repeat; a server has none.
    request: Box<[u8]>,
    /// Who sees the packets pass; nobody on a server.
    watch: Option<Watch>,
    /// Trouble with the content, which has ended the transfer.
    content_error: Option<io::Error>,
    /// The latest datagram that the system would not send.
    send_error: Option<io::Error>,
    /// The source had nothing to read yet.
    starved: bool,
}

enum Half {
    Sending { machine: Sender, source: Box<dyn Source> },
    Receiving { machine: Receiver, storing: Storing },
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
        Self::new(Half::Sending { machine, source })
    }

    pub(crate) fn receiving(machine: Receiver, sink: Box<dyn Sink>) -> Self {
        Self::new(Half::Receiving { machine, storing: Storing::Open(sink) })
    }

    fn new(half: Half) -> Self {
        Self {
            half,
            request: Box::default(),
            watch: None,
            content_error: None,
            send_error: None,
            starved: false,
        }
    }

    /// The datagram that opens a client's transfer.
    pub(crate) fn with_request(mut self, datagram: &[u8]) -> Self {
        self.request = datagram.into();
        self
    }

    /// Shows the packets to an observer.
    pub(crate) fn with_watch(mut self, watch: Option<Watch>) -> Self {
        self.watch = watch;
        self
    }

    /// Takes a datagram. A sink that is returned holds the whole file: [`finish`](Sink::finish) it,
    /// then call [`finished`](Self::finished).
    pub(crate) fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d [u8],
    ) -> (Verdict<'d>, Option<Box<dyn Sink>>) {
        if let Some(watch) = &self.watch {
            watch.saw(Direction::Received, from, datagram);
        }
        let (machine, storing) = match &mut self.half {
            Half::Sending { machine, .. } => {
                return (machine.handle_datagram(now, from, datagram), None);
            }
            Half::Receiving { machine, storing } => (machine, storing),
        };
        let chunk = match machine.handle_datagram(now, from, datagram) {
            Received::Other(verdict) => return (verdict, None),
            Received::Data(chunk) => chunk,
        };
        let Storing::Open(sink) = storing else {
            return (Verdict::Ignored(Ignored::Over), None);
        };
        if let Err(error) = sink.write_at(chunk.offset, chunk.bytes) {
            *storing = Storing::Over;
            self.content_failed(error);
            return (Verdict::Accepted, None);
        }
        let whole = if chunk.last {
            match std::mem::replace(storing, Storing::Finishing) {
                Storing::Open(sink) => Some(sink),
                Storing::Finishing | Storing::Over => None,
            }
        } else {
            None
        };
        (Verdict::Accepted, whole)
    }

    /// The sink that [`handle_datagram`](Self::handle_datagram) returned has been finished: its
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

    /// Sends what there is to send.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        socket: &UdpSocket,
        scratch: &mut Scratch,
    ) -> Pumped {
        if self.is_finishing() {
            return Pumped::Idle;
        }
        loop {
            let transmit = machine!(&mut self.half => poll_transmit(now, &mut scratch.small));
            let peer = self.peer();
            let sent = match transmit {
                None => return Pumped::Idle,
                Some(Transmit::Request) => send(socket, peer, &self.request, self.watch.as_ref()),
                Some(Transmit::Packet(len)) => {
                    send(socket, peer, &scratch.small[..len], self.watch.as_ref())
                }
                Some(Transmit::Burst(burst)) => self.send_burst(now, burst, socket, scratch),
            };
            match sent {
                Ok(()) if std::mem::take(&mut self.starved) => return Pumped::Idle,
                Ok(()) => {}
                // A small packet that found the socket full is lost; its timer brings it back.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Pumped::Blocked,
                Err(error) => self.send_error = Some(error),
            }
        }
    }

    /// Tells a stranger that this is not the port it means.
    pub(crate) fn send_stray(&self, socket: &UdpSocket, stranger: SocketAddr) -> io::Result<()> {
        send(socket, stranger, UNKNOWN_TID, self.watch.as_ref())
    }

    /// Reads, frames, sends and commits as much of a burst as the buffers hold.
    fn send_burst(
        &mut self,
        now: Instant,
        burst: Burst,
        socket: &UdpSocket,
        scratch: &mut Scratch,
    ) -> io::Result<()> {
        let Half::Sending { machine, source } = &mut self.half else { return Ok(()) };
        let most = u16::try_from(BATCH / burst.stride()).unwrap_or(u16::MAX);
        let Some(mut burst) = burst.first(most) else { return Ok(()) };

        source.forget_before(machine.acknowledged());
        let read = loop {
            let content = &mut scratch.content[..burst.payload_len()];
            match source.read_at(burst.offset(), content) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // What is there of a window goes, and the rest when it comes.
                    let Some(shorter) = burst.first(burst.packets() / 2) else {
                        self.starved = true;
                        return Ok(());
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

        let peer = machine.peer();
        let mut trouble = Ok(());
        let mut sent = 0;
        for packet in burst.frame_content(&scratch.content, &mut scratch.framed) {
            match send(socket, peer, packet, self.watch.as_ref()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    trouble = Err(error);
                    break;
                }
                // Refused by a firewall, or no buffer: as good as lost on the way.
                Err(error) => trouble = Err(error),
            }
            sent += 1;
        }
        if let Some(burst) = burst.first(sent) {
            machine.commit(now, burst);
        }
        trouble
    }

    fn content_failed(&mut self, error: io::Error) {
        let (code, text) = trouble(&error);
        self.content_error = Some(error);
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
        self.content_error.take()
    }

    /// What the system said of the latest datagram that it would not send.
    pub(crate) fn take_send_error(&mut self) -> Option<io::Error> {
        self.send_error.take()
    }
}

fn send(
    socket: &UdpSocket,
    peer: SocketAddr,
    datagram: &[u8],
    watch: Option<&Watch>,
) -> io::Result<()> {
    loop {
        match socket.send_to(datagram, peer) {
            Ok(_) => {
                if let Some(watch) = watch {
                    watch.saw(Direction::Sent, peer, datagram);
                }
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
