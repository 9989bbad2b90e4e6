//! What is decided of a request: whether it is granted, with which options, and where its content
//! is. `tftpd --check --as` asks the same judge as the poll loop.

use std::{io, net::IpAddr, sync::Arc};

use tftp_core::{BlockSize, ErrorCode, Limits, Mode, Operation, Options, Refusal, Request};

use super::Config;
use crate::{
    socket::window_for,
    storage::{
        Denied, Listener, Storage, Wanted,
        netascii::{NetasciiSink, NetasciiSource},
    },
    transfer::Content,
};

/// Opcode and block number of a DATA packet (RFC 1350 section 5).
const DATA_HEADER: usize = 4;

/// Decides about requests.
pub(crate) struct Judge {
    storage: Arc<dyn Storage>,
    limits: Limits,
    /// Grants no block that would be fragmented on its way.
    mtu_fit: bool,
}

/// What the way to a client carries.
pub(crate) trait Carrier {
    /// Bytes that the socket of an upload holds.
    fn receive_buffer(&mut self) -> io::Result<usize>;

    /// Bytes of the longest datagram that is not fragmented.
    fn longest_datagram(&mut self) -> usize;
}

impl Judge {
    pub(crate) fn new(config: &Config, storage: Arc<dyn Storage>) -> Self {
        Self { storage, limits: config.limits, mtu_fit: config.mtu_fit }
    }

    /// Decides on options and opens the content.
    pub(crate) fn decide(
        &self,
        request: &Request<'_>,
        wanted: &Wanted<'_>,
        carrier: &mut impl Carrier,
    ) -> Result<(Options, Content), Denied> {
        let decided = self.open(request, wanted, carrier)?;
        let (asked, granted) = (request.options, decided.0);
        if !asked.is_empty() {
            wanted.note(format_args!("options asked for: {asked}; granted: {granted}"));
        }
        Ok(decided)
    }

    fn open(
        &self,
        request: &Request<'_>,
        wanted: &Wanted<'_>,
        carrier: &mut impl Carrier,
    ) -> Result<(Options, Content), Denied> {
        let mut limits = self.limits;
        // Who asks for no more than any path carries needs no route to be looked up.
        let asked = request.options.block_size().or(request.options.block_size2());
        if self.mtu_fit && asked.is_some_and(|asked| asked > BlockSize::DEFAULT) {
            let block = carrier.longest_datagram().saturating_sub(DATA_HEADER);
            if let Some(block) =
                u16::try_from(block).ok().and_then(|block| BlockSize::new(block).ok())
            {
                limits.max_block_size = limits.max_block_size.min(block);
            }
        }
        // Asked before anything is opened: a mail request names no file.
        limits.answer(request, None).map_err(denied)?;
        match request.operation {
            Operation::Read => {
                let source = self.storage.open(wanted)?;
                let source = match request.mode {
                    Mode::Octet => source,
                    Mode::Netascii | Mode::Mail => Box::new(NetasciiSource::new(source)),
                };
                let options = limits.answer(request, source.size()).map_err(denied)?;
                Ok((options, Content::Source(source)))
            }
            Operation::Write => {
                let buffer = carrier.receive_buffer().map_err(|error| no_buffer(&error))?;
                let asked = request.options.block_size().unwrap_or(BlockSize::DEFAULT);
                let block_size = asked.min(limits.max_block_size);
                limits.max_window_size = limits.max_window_size.min(window_for(buffer, block_size));
                let options = limits.answer(request, None).map_err(denied)?;
                let sink = self.storage.create(wanted)?;
                let sink = match request.mode {
                    Mode::Octet => sink,
                    Mode::Netascii | Mode::Mail => Box::new(NetasciiSink::new(sink)),
                };
                Ok((options, Content::Sink(sink)))
            }
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// A transfer begins, with these options.
    Granted(Options),
    /// The client is answered with an ERROR.
    Refused(Denied),
    /// Nothing: the client is not one that may ask.
    Dropped,
}

/// Decides one request as a server with this configuration would, and tells `listener` each step.
///
/// No socket is opened and nothing is sent. What the request names is opened, or begun and dropped
/// again, with the rights that this process has. The one thing left out is the state of a running
/// server: how many transfers it has, and how much its sockets can take.
pub fn explain(
    config: &Config,
    storage: Arc<dyn Storage>,
    client: IpAddr,
    request: &Request<'_>,
    listener: Listener<'_>,
) -> Decision {
    listener(format_args!("client {client} {}", config.access.ruling(client)));
    if !config.access.admits(client) {
        return Decision::Dropped;
    }
    let wanted = Wanted { listener: Some(listener), ..Wanted::new(client, request) };
    match Judge::new(config, storage).decide(request, &wanted, &mut Anything) {
        Ok((options, _)) => Decision::Granted(options),
        Err(denied) => Decision::Refused(denied),
    }
}

/// A way that carries whatever is asked.
struct Anything;

impl Carrier for Anything {
    fn receive_buffer(&mut self) -> io::Result<usize> {
        Ok(usize::MAX)
    }

    fn longest_datagram(&mut self) -> usize {
        usize::MAX
    }
}

fn denied(refusal: Refusal) -> Denied {
    Denied { code: refusal.code(), text: refusal.to_string().into() }
}

fn no_buffer(error: &io::Error) -> Denied {
    Denied {
        code: ErrorCode::NOT_DEFINED,
        text: format!("no receive buffer: {}", crate::of_the_system(error)).into(),
    }
}
