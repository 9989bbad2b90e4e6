//! The client engine: one transfer a call, blocking, with progress and cancellation.
//!
//! ```no_run
//! use std::path::Path;
//! use tftp_mio::client::{Client, Download, Settings};
//!
//! let mut client = Client::new()?;
//! let file = Download::create(Path::new("pxelinux.0"))?;
//! let server = "192.0.2.1:69".parse()?;
//! let report = client.get(server, b"pxelinux.0", &Settings::default(), file, &mut |_| {})?;
//! println!("{} bytes in {:?}", report.bytes, report.duration);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - **Content** is any [`Sink`] or [`Source`]; [`Download`] and [`Upload`] are local files. A
//!   download has its name only once it is whole.
//! - **Options** are in [`Settings`]. A server that refuses them or does not answer is asked again
//!   with fewer, then with none; [`Report::asked_again`] tells, and why.
//! - **Progress** is told to the closure of [`Client::get`] and [`Client::put`].
//! - **Time**: a call returns when the file is there, or when it will not be. A server that never
//!   answers is given up after at most half a minute, and one that falls silent after a minute or
//!   more ([`Settings::retries`]); where the system knows better, sooner.
//! - **Cancelling** is for any thread that has a [`Canceller`]; the server is told.
//! - **Packets** are shown to an [`Observer`], if there is one; without one they cost nothing.
//! - **Failures** are [`TransferError`]s, and leave nothing behind: neither a part of a file nor a
//!   change to one that was there. What is in them of the server's words are its own bytes: escape
//!   them before you show them.
//!
//! A name is looked up by the caller; [`std::net::ToSocketAddrs`] does it. After
//! [`TransferError::Network`] the next address of the host may do.
//!
//! `cargo run -p tftp-mio --example client` shows all of it.

mod attempt;
mod files;
mod lingering;
mod unreachable;

use std::{
    fmt, io,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mio::{Poll, Waker};
use tftp_core::{
    BlockSize, ErrorCode, Failure, Misconduct, Mode, Operation, Options, Request, Timeout,
    UnencodableRequest, WindowSize,
};

pub use crate::{
    observe::{Direction, Observer, Passing},
    storage::{Sink, Source},
};
use crate::{
    storage::netascii::{NetasciiSink, NetasciiSource},
    transfer::Content,
};
use attempt::{Attempt, Failed, WAKE};
pub use files::{Download, Upload};
use lingering::Lingering;

/// What to ask a server for, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The transfer mode. `Mail` is for [`Client::put`] only.
    pub mode: Mode,
    /// Whether to ask for options at all; `false` is plain RFC 1350.
    pub options: bool,
    /// The block size to ask for.
    pub block_size: BlockSize,
    /// The window size to ask for, up to [`WindowSize::LARGEST_SAFE`]. [`Client::get`] asks for a
    /// smaller one where the receive buffer that the system grants does not hold so many blocks, and
    /// in netascii for none.
    pub window_size: WindowSize,
    /// The retransmission interval to ask for; `None` measures it instead.
    pub timeout: Option<Timeout>,
    /// Retransmissions that count before an established transfer is given up.
    pub retries: u8,
    /// The local ports to use, tried in turn; `None` lets the system choose.
    pub local_ports: Option<RangeInclusive<u16>>,
}

impl Default for Settings {
    /// Blocks that fit an MTU of 1500 bytes over IPv4 and IPv6, in windows of 16.
    fn default() -> Self {
        Self {
            mode: Mode::Octet,
            options: true,
            block_size: BlockSize::new(1428).unwrap_or(BlockSize::DEFAULT),
            window_size: WindowSize::new(16).unwrap_or(WindowSize::LOCK_STEP),
            timeout: None,
            retries: 6,
            local_ports: None,
        }
    }
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes moved so far, as they go over the wire.
    pub bytes: u64,
    /// The file's size where it is known.
    pub total: Option<u64>,
}

/// What a finished transfer was like.
#[derive(Clone, Debug)]
pub struct Report {
    /// Bytes on the wire: in netascii the encoded length.
    pub bytes: u64,
    /// From the first request to the last packet that mattered.
    pub duration: Duration,
    /// The options that were agreed.
    pub options: Options,
    /// Packets that had to be sent again.
    pub retransmissions: u64,
    /// The window size that was asked for instead of that in [`Settings`], because the receive buffer
    /// holds no larger window.
    pub narrowed: Option<WindowSize>,
    /// The server would not have the options first asked for, and was asked with fewer or none.
    pub asked_again: Option<Declined>,
}

/// How a server declined the options that were asked for first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declined {
    /// With ERROR. The message is the server's bytes; escape them before showing them.
    Refused {
        /// The ERROR's code.
        code: ErrorCode,
        /// The ERROR's text.
        message: Vec<u8>,
    },
    /// It did not answer.
    Unanswered,
}

impl Declined {
    /// Of a request that is worth asking again: the server has answered it with ERROR, or not at all.
    fn of(error: TransferError) -> Self {
        if let TransferError::Server { code, message } = error {
            Self::Refused { code, message }
        } else {
            Self::Unanswered
        }
    }
}

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The server answered with ERROR. The message is the server's bytes; escape them before showing
    /// them.
    #[error("{code}")]
    Server {
        /// The ERROR's code.
        code: ErrorCode,
        /// The ERROR's text.
        message: Vec<u8>,
    },
    /// The server ended a transfer that had begun with ERROR. The message is as in
    /// [`Server`](Self::Server).
    #[error("the server gave up: {code}")]
    GaveUp {
        /// The ERROR's code.
        code: ErrorCode,
        /// The ERROR's text.
        message: Vec<u8>,
    },
    /// The server never answered.
    #[error("no answer")]
    NoAnswer,
    /// The server answered at first and then fell silent.
    #[error("the server fell silent")]
    TimedOut,
    /// [`Client::put`] only: all data was sent, but the last ACK never came. The server may have
    /// the file or not.
    #[error("the server never confirmed that it has the file")]
    Unconfirmed,
    /// The server broke the protocol, and has been told so.
    #[error("the server broke the protocol: {0}")]
    Protocol(Misconduct),
    /// The file is not as long as the server announced, and has not been kept.
    #[error("the server announced {announced} bytes and sent {received}")]
    Size {
        /// The `tsize` of its answer.
        announced: u64,
        /// Bytes that came: all of them, or one packet more than announced.
        received: u64,
    },
    /// The name cannot be asked for.
    #[error(transparent)]
    Name(#[from] UnencodableRequest),
    /// Mail mode was asked for with [`Client::get`].
    #[error("mail mode is for put only")]
    MailRead,
    /// The local file could not be read or written; the server has been told.
    #[error("local file: {0}")]
    Local(#[source] io::Error),
    /// The system gave no socket, or nothing to wait on it with; nothing was sent, or the server
    /// will give up by itself.
    #[error("no socket: {0}")]
    Socket(#[source] io::Error),
    /// The system would not send the request, or was told that it cannot arrive: with
    /// `ConnectionRefused`, nothing listens there.
    #[error("network: {0}")]
    Network(#[source] io::Error),
    /// The server answered at first, and later could not be reached: with `ConnectionRefused`, it is
    /// not there any more.
    #[error("the server was lost: {0}")]
    Lost(#[source] io::Error),
    /// The transfer was cancelled; the server has been told.
    #[error("cancelled")]
    Cancelled,
}

/// Ends a transfer of a [`Client`] from another thread.
#[derive(Clone, Debug)]
pub struct Canceller {
    waker: Arc<Waker>,
    cancelled: Arc<AtomicBool>,
}

impl Canceller {
    /// Ends the transfer that is running now with an ERROR to the server, or the next one before
    /// it begins.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        // A loop that cannot be woken looks by itself, a few times a second.
        let _ = self.waker.wake();
    }

    /// Has the transfer that is running look at its source again, which had
    /// [nothing to read yet](Source::read_at).
    pub fn wake(&self) {
        let _ = self.waker.wake();
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

/// A TFTP client. Transfers run one after the other, on the thread that calls; clients of several
/// threads know nothing of each other.
///
/// After a file has been received, a thread in the background repeats its last ACK for a moment if
/// the server asks for it; dropping the client waits for that, half a second at most. However many
/// transfers there were, that is one thread, and at most 64 of them are repeated at a time.
pub struct Client {
    poll: Poll,
    canceller: Canceller,
    lingering: Lingering,
    observer: Option<Observer>,
}

impl Client {
    /// A client without a running transfer.
    ///
    /// # Errors
    /// When the system has no poll descriptor left.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let canceller = Canceller { waker, cancelled: Arc::default() };
        Ok(Self { poll, canceller, lingering: Lingering::default(), observer: None })
    }

    /// Shows every packet of the transfers to come to `observer`, or to nobody.
    ///
    /// A thread in the background may show it the last packets of a transfer that is over.
    pub fn observe(&mut self, observer: Option<Observer>) {
        self.observer = observer;
    }

    /// A handle that ends this client's transfers.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Fetches `remote` from `server` into `sink`.
    ///
    /// `progress` is called at the beginning, a few times a second, and at the end.
    ///
    /// # Errors
    /// When the file did not arrive whole. The sink has then been dropped unfinished.
    pub fn get(
        &mut self,
        server: SocketAddr,
        remote: &[u8],
        settings: &Settings,
        sink: Box<dyn Sink>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, TransferError> {
        let (sink, asked) = match settings.mode {
            // The size that a server tells is that of the file, not of its encoding.
            Mode::Netascii => (Box::new(NetasciiSink::new(sink)) as _, None),
            Mode::Octet => (sink, Some(0)),
            Mode::Mail => return Err(TransferError::MailRead),
        };
        let request = Request {
            operation: Operation::Read,
            filename: remote,
            mode: settings.mode,
            options: settings.asked(Operation::Read, asked),
        };
        self.transfer(server, request, settings, Content::Sink(sink), progress)
    }

    /// Sends `source` to `server` under the name `remote`, or in mail mode to the user `remote`.
    ///
    /// `progress` is called at the beginning, a few times a second, and at the end.
    ///
    /// # Errors
    /// When the server did not take the file whole, or did not say so.
    pub fn put(
        &mut self,
        server: SocketAddr,
        remote: &[u8],
        settings: &Settings,
        source: Box<dyn Source>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, TransferError> {
        let source = match settings.mode {
            Mode::Octet => source,
            Mode::Netascii | Mode::Mail => Box::new(NetasciiSource::new(source)),
        };
        let request = Request {
            operation: Operation::Write,
            filename: remote,
            mode: settings.mode,
            options: settings.asked(Operation::Write, source.size()),
        };
        self.transfer(server, request, settings, Content::Source(source), progress)
    }

    /// Climbs down the ladder of options until the server agrees.
    fn transfer(
        &mut self,
        server: SocketAddr,
        mut request: Request<'_>,
        settings: &Settings,
        mut content: Content,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, TransferError> {
        let mut asked_again = None;
        let result = loop {
            let attempt = Attempt {
                poll: &mut self.poll,
                canceller: &self.canceller,
                lingering: &mut self.lingering,
                observer: self.observer.as_ref(),
                server,
                request,
                settings,
                progress,
            };
            match attempt.run(content) {
                Ok(finished) => {
                    if let Some(lingerer) = finished.lingerer {
                        self.lingering.take(lingerer);
                    }
                    break Ok(Report { asked_again, ..finished.report });
                }
                Err(Failed { error, opening: Some((failure, back)) }) => {
                    match request.fewer(&failure) {
                        Some(fewer) => {
                            asked_again.get_or_insert_with(|| Declined::of(error));
                            (request, content) = (fewer, back);
                        }
                        None => break Err(error),
                    }
                }
                Err(Failed { error, opening: None }) => break Err(error),
            }
        };
        self.canceller.cancelled.store(false, Ordering::SeqCst);
        result
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("observed", &self.observer.is_some()).finish_non_exhaustive()
    }
}

impl Settings {
    /// The options to ask for first.
    fn asked(&self, operation: Operation, transfer_size: Option<u64>) -> Options {
        if !self.options {
            return Options::NONE;
        }
        let mut options = Options::NONE.with_block_size(self.block_size);
        // An ACK inside of a window sends a server back in its file. atftpd goes back without the state
        // of its conversion, and sends wrong bytes from there on (docs/interop.md).
        let in_windows = (operation, self.mode) != (Operation::Read, Mode::Netascii);
        if in_windows && self.window_size > WindowSize::LOCK_STEP {
            options = options.with_window_size(self.window_size);
        }
        if let Some(bytes) = transfer_size {
            options = options.with_transfer_size(bytes);
        }
        if let Some(timeout) = self.timeout {
            options = options.with_timeout(timeout);
        }
        options
    }
}

/// What a failure of the machine is for the caller.
fn error_of(failure: Failure, message: Option<Vec<u8>>) -> TransferError {
    match failure {
        Failure::Refused(code) => {
            TransferError::Server { code, message: message.unwrap_or_default() }
        }
        Failure::PeerAborted(code) => {
            TransferError::GaveUp { code, message: message.unwrap_or_default() }
        }
        Failure::NoAnswer => TransferError::NoAnswer,
        Failure::Protocol(misconduct) => TransferError::Protocol(misconduct),
        // We abort for trouble with the file, which is known by then, and when cancelled.
        Failure::Aborted { .. } => TransferError::Cancelled,
        _ => TransferError::TimedOut,
    }
}
