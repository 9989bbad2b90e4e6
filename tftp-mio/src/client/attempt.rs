//! One attempt at a transfer: one request, one socket, until it is over one way or the other.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant as StdInstant},
};

use mio::{Events, Interest, Poll, Registry, Token, event::Event};
use tftp_core::{
    BlockSize, ErrorCode, Failure, Instant, Operation, Order, Receiver, Request, Sender, Status,
    Timing, Verdict, WindowSize,
};

use super::{
    Canceller, Progress, Report, Settings, TransferError, error_of,
    lingering::{Lingerer, Lingering},
    unreachable::{self, Unreachable},
};
use crate::{
    clock::Clock,
    observe::{Observer, Watch},
    socket::{BATCH, Inbox, Run, Socket, window_for},
    transfer::{Content, Outbox, Pumped, Transfer},
};

/// The token of the canceller's waker.
pub(super) const WAKE: Token = Token(1);

const SOCKET: Token = Token(0);

/// How often progress is told, and how long an unnoticed cancellation may take.
const TICK: Duration = Duration::from_millis(100);

pub(super) struct Attempt<'a> {
    pub(super) poll: &'a mut Poll,
    pub(super) canceller: &'a Canceller,
    /// Earlier transfers, which still have their sockets.
    pub(super) lingering: &'a mut Lingering,
    pub(super) observer: Option<&'a Observer>,
    pub(super) server: SocketAddr,
    pub(super) request: Request<'a>,
    pub(super) settings: &'a Settings,
    pub(super) progress: &'a mut dyn FnMut(Progress),
}

/// A transfer that has moved its file.
pub(super) struct Finished {
    pub(super) report: Report,
    /// What repeats the last ACK if need be.
    pub(super) lingerer: Option<Lingerer>,
}

/// A transfer that has not.
pub(super) struct Failed {
    pub(super) error: TransferError,
    /// The request itself was refused or not answered, and the content is untouched.
    pub(super) opening: Option<(Failure, Content)>,
}

impl From<TransferError> for Failed {
    fn from(error: TransferError) -> Self {
        Self { error, opening: None }
    }
}

/// The socket and the machine of an attempt.
struct Running {
    clock: Clock,
    socket: Socket,
    narrowed: Option<WindowSize>,
    /// The socket was full; it is watched for room.
    blocked: bool,
    transfer: Transfer,
    outbox: Outbox,
    /// The latest datagram that the system would not send.
    send_error: Option<io::Error>,
    /// What the server's ERROR said.
    peer_error: Option<Vec<u8>>,
    unreachable: Unreachable,
    /// The file is not as long as the server announced.
    wrong_size: Option<TransferError>,
}

impl Attempt<'_> {
    pub(super) fn run(mut self, content: Content) -> Result<Finished, Failed> {
        if self.canceller.is_cancelled() {
            return Err(TransferError::Cancelled.into());
        }
        let socket = self.bind().or_else(|_| {
            // The ports, or the descriptors, may be with those that linger.
            self.lingering.finish();
            self.bind()
        });
        let mut socket = socket.map_err(TransferError::Socket)?;
        socket.prepare_to_receive().map_err(TransferError::Socket)?;
        let narrowed = self.narrow(&socket).map_err(TransferError::Socket)?;
        let mut datagram = [0; Request::MAX_LEN];
        let len = self.request.encode(&mut datagram).map_err(TransferError::from)?;
        unreachable::listen(socket.io());
        let size = match &content {
            Content::Source(source) => source.size(),
            Content::Sink(_) => None,
        };
        let clock = Clock::start();
        let transfer = self
            .open(clock.now(), content)
            .of_client(&datagram[..len], self.watch(&socket).map_err(TransferError::Socket)?);
        let mut running = Running {
            clock,
            socket,
            narrowed,
            blocked: false,
            transfer,
            outbox: Outbox::new(),
            send_error: None,
            peer_error: None,
            unreachable: Unreachable::default(),
            wrong_size: None,
        };
        running
            .socket
            .watch(self.poll.registry(), SOCKET, Interest::READABLE)
            .map_err(TransferError::Socket)?;
        let outcome = self.drive(&mut running, size);
        let unwatched = running.socket.unwatch(self.poll.registry());
        outcome?;
        unwatched.map_err(TransferError::Socket)?;
        (self.progress)(running.progress(size));
        running.conclude()
    }

    /// A socket on a port that was not used before: the server may still send to the last one.
    fn bind(&self) -> io::Result<Socket> {
        let ip: IpAddr = match self.server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let Some(ports) = &self.settings.local_ports else {
            return Socket::bind(SocketAddr::new(ip, 0));
        };
        let mut result = Err(io::Error::from(io::ErrorKind::AddrInUse));
        for port in ports.clone() {
            result = Socket::bind(SocketAddr::new(ip, port));
            match &result {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                _ => break,
            }
        }
        result
    }

    /// Has a file asked for in a window that the socket can hold. Returns that where it is smaller than
    /// what was to be asked for.
    fn narrow(&mut self, socket: &Socket) -> io::Result<Option<WindowSize>> {
        let options = self.request.options;
        let (Operation::Read, Some(asked)) = (self.request.operation, options.window_size()) else {
            return Ok(None);
        };
        let block_size = options.block_size().unwrap_or(BlockSize::DEFAULT);
        let held = window_for(socket.receive_buffer()?, block_size);
        self.request.options = options.with_window_size(asked.min(held));
        Ok((held < asked).then_some(held))
    }

    fn watch(&self, socket: &Socket) -> io::Result<Option<Watch>> {
        let watch = |observer| Ok(Watch::new(observer, socket.address()?, self.server));
        self.observer.map(watch).transpose()
    }

    fn open(&self, now: Instant, content: Content) -> Transfer {
        let (server, asked) = (self.server, self.request.options);
        let timing = Timing::CLIENT.with_retries(self.settings.retries);
        match content {
            Content::Source(source) => {
                let machine = Sender::request(now, server, asked, source.size(), timing);
                Transfer::sending(machine, source)
            }
            Content::Sink(sink) => {
                let order = if sink.seekable() { Order::Any } else { Order::Strict };
                Transfer::receiving(Receiver::request(now, server, asked, order, timing), sink)
            }
        }
    }

    /// The poll loop, until the transfer is over or only lingers.
    fn drive(&mut self, running: &mut Running, size: Option<u64>) -> Result<(), TransferError> {
        let mut events = Events::with_capacity(8);
        let mut inbox = Inbox::new();
        let mut told = StdInstant::now();
        (self.progress)(running.progress(size));
        loop {
            let more = running.pump(self.poll.registry())?;
            if running.is_settled() {
                return Ok(());
            }
            running.heed_send_error()?;
            let sleep = match running.sleep() {
                _ if more => Duration::ZERO,
                Some(sleep) => sleep.min(TICK),
                None => TICK,
            };
            match self.poll.poll(&mut events, Some(sleep)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result.map_err(TransferError::Socket)?,
            }
            if self.canceller.is_cancelled() {
                running.transfer.abort(ErrorCode::NOT_DEFINED, "cancelled by the user");
                continue;
            }
            if events.iter().any(Event::is_error) {
                running.hear_unreachable();
            }
            running.receive(&mut inbox, self.poll.registry())?;
            running.expire();
            if told.elapsed() >= TICK {
                told = StdInstant::now();
                (self.progress)(running.progress(size));
            }
        }
    }
}

impl Running {
    /// Takes everything that waits in the socket.
    fn receive(&mut self, inbox: &mut Inbox, registry: &Registry) -> Result<(), TransferError> {
        loop {
            let batch = match self.socket.receive(inbox, BATCH) {
                Ok(batch) => batch,
                Err(error) => {
                    // A packet did not arrive.
                    tracing::debug!(%error, "receive failed");
                    self.hear_unreachable();
                    return Ok(());
                }
            };
            for run in batch.runs() {
                self.deliver(run);
            }
            self.pump(registry)?;
            if batch.drained || self.is_settled() {
                return Ok(());
            }
        }
    }

    /// Gives datagrams to the transfer, and answers strangers.
    fn deliver(&mut self, run: Run<'_>) {
        let from = run.from;
        let (mut stray, peer_error) = (false, &mut self.peer_error);
        let (now, datagrams) = (self.clock.now(), run.datagrams());
        if from == self.transfer.peer() {
            self.unreachable.forget();
        }
        let whole = self.transfer.handle_datagrams(now, from, datagrams, |verdict| match verdict {
            Verdict::Accepted => {}
            Verdict::Ignored(why) => tracing::trace!(%from, ?why, "packet ignored"),
            Verdict::Stray => stray = true,
            Verdict::PeerError { message, .. } => *peer_error = Some(message.to_vec()),
        });
        if stray && let Err(error) = self.transfer.send_stray(&self.socket, from) {
            tracing::debug!(%from, %error, "an ERROR could not be sent");
        }
        let received = self.transfer.stats().bytes;
        match self.announced() {
            Some(announced) if received > announced || whole.is_some() && received < announced => {
                self.wrong_size = Some(TransferError::Size { announced, received });
                self.transfer.finished(Err(io::ErrorKind::InvalidData.into()));
            }
            _ => {
                if let Some(sink) = whole {
                    self.transfer.finished(sink.finish());
                }
            }
        }
    }

    /// The size of the file, as far as the other side has told it; some servers send back the 0 that
    /// they were asked with.
    fn announced(&self) -> Option<u64> {
        let announced = || self.transfer.params().transfer_size.filter(|&bytes| bytes > 0);
        (!self.transfer.is_sending()).then(announced).flatten()
    }

    /// Sends what there is to send. Returns whether there is more; a full socket wakes the loop
    /// once it has room.
    fn pump(&mut self, registry: &Registry) -> Result<bool, TransferError> {
        let now = self.clock.now();
        let Self { transfer, socket, outbox, send_error, .. } = self;
        let pumped = transfer.pump(now, socket, None, outbox, |error| *send_error = Some(error));
        let blocked = pumped == Pumped::Blocked;
        if blocked != self.blocked {
            let interest =
                if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            self.socket.watch(registry, SOCKET, interest).map_err(TransferError::Socket)?;
            self.blocked = blocked;
        }
        Ok(pumped == Pumped::More)
    }

    /// A request that cannot even be sent is no request; later there may be a way again.
    fn heed_send_error(&mut self) -> Result<(), TransferError> {
        match self.send_error.take() {
            Some(error) if self.is_opening() => return Err(TransferError::Network(error)),
            Some(error) => self.heed(error),
            None => {}
        }
        Ok(())
    }

    /// Hears what ICMP said, if anything.
    fn hear_unreachable(&mut self) {
        if let Some(error) = unreachable::heard(self.socket.io(), self.transfer.peer()) {
            self.heed(error);
        }
    }

    fn heed(&mut self, error: io::Error) {
        if self.unreachable.hear(self.clock.now(), error, self.is_opening()) {
            self.transfer.handle_unreachable();
        }
    }

    fn is_opening(&self) -> bool {
        matches!(self.transfer.status(), Status::Opening)
    }

    fn expire(&mut self) {
        self.transfer.handle_timeout(self.clock.now());
    }

    /// How long nothing happens by itself; `None` for ever.
    fn sleep(&self) -> Option<Duration> {
        let deadline = self.transfer.poll_timeout().filter(|&at| at < Instant::NEVER)?;
        Some(deadline.saturating_duration_since(self.clock.now()))
    }

    /// Whether the caller can be told how it went.
    fn is_settled(&self) -> bool {
        self.transfer.poll_timeout().is_none()
            || matches!(self.transfer.status(), Status::Lingering(_))
    }

    fn progress(&self, size: Option<u64>) -> Progress {
        let total = size.or(self.announced());
        Progress { bytes: self.transfer.stats().bytes, total }
    }

    /// What the caller is told.
    fn conclude(self) -> Result<Finished, Failed> {
        let counted = self.transfer.stats();
        let status = self.transfer.status();
        let (Status::Done(summary) | Status::Lingering(summary)) = status else {
            return Err(self.fail(status));
        };
        let report = Report {
            bytes: summary.bytes,
            duration: self.clock.now().saturating_duration_since(Instant::ZERO),
            options: summary.params.options,
            retransmissions: counted.retransmissions,
            narrowed: self.narrowed,
            asked_again: None,
        };
        let lingerer = matches!(status, Status::Lingering(_)).then_some(Lingerer {
            clock: self.clock,
            socket: self.socket,
            transfer: self.transfer,
        });
        Ok(Finished { report, lingerer })
    }

    fn fail(mut self, status: Status) -> Failed {
        if let Some(error) = self.wrong_size.take() {
            return error.into();
        }
        if let Some(error) = self.transfer.take_content_error() {
            return TransferError::Local(error).into();
        }
        let failure = match status {
            Status::Failed(failure) => failure,
            // Only its last ACK says that the server has stored the file.
            Status::Unconfirmed(_) => return TransferError::Unconfirmed.into(),
            _ => return TransferError::TimedOut.into(),
        };
        match (failure, self.unreachable.take()) {
            (Failure::NoAnswer, Some(error)) => return TransferError::Network(error).into(),
            (Failure::TimedOut, Some(error)) => return TransferError::Lost(error).into(),
            _ => {}
        }
        let error = error_of(failure, self.peer_error.take());
        let content = self.transfer.into_content();
        Failed { error, opening: content.map(|content| (failure, content)) }
    }
}
