//! The other side: one request, one file, and the end.

use std::{ffi::OsString, fs::File, io, net::SocketAddr, path::PathBuf};

use clap::Args;
use mio::{Events, Interest, Poll, Token};
use tftp_benches::{block_size, window_size};
use tftp_core::{
    BlockSize, Mode, Operation, Options, Packet, Params, Request, SMALL_PACKET, WindowSize,
};

use crate::{
    serve::bind,
    transfer::{Buffers, Next, Transfer},
};

/// What to move.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Where the request goes
    server: SocketAddr,

    /// The file here and there
    file: PathBuf,

    /// Ask for this block size
    #[arg(long, default_value = "1428", value_parser = block_size)]
    blksize: BlockSize,

    /// Ask for this window size
    #[arg(long, default_value = "16", value_parser = window_size)]
    windowsize: WindowSize,
}

/// Moves one file to us (a read) or to the server.
pub(crate) fn run(operation: Operation, fetch: &Fetch) -> io::Result<()> {
    let Fetch { server, file: path, blksize, windowsize } = fetch;
    let file = match operation {
        Operation::Read => File::create(path)?,
        Operation::Write => File::open(path)?,
    };
    let mut socket = bind(SocketAddr::new(server.ip(), 0))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
    let mut events = Events::with_capacity(8);

    let options = Options::NONE.with_block_size(*blksize).with_window_size(*windowsize);
    let name: OsString = path.file_name().unwrap_or_default().into();
    let filename = name.as_encoded_bytes();
    let request = Request { operation, filename, mode: Mode::Octet, options };
    let mut packet = [0; SMALL_PACKET];
    let len = request.encode(&mut packet).map_err(io::Error::other)?;
    socket.send_to(&packet[..len], *server)?;

    poll.poll(&mut events, None)?;
    let (len, peer) = socket.recv_from(&mut packet)?;
    let Ok(Packet::OptionAck(_)) = Packet::parse(&packet[..len]) else {
        return Err(io::Error::other("the server grants no options"));
    };
    // Whoever asks for so little is granted it.
    let (size, params) = (file.metadata()?.len(), Params::from(options));
    // What is to be moved is the other way round for a server.
    let served = match operation {
        Operation::Read => Operation::Write,
        Operation::Write => Operation::Read,
    };
    let mut buffers = Buffers::new();
    let mut transfer = Transfer::new(served, peer, file, size, params);
    transfer.prepare(&socket)?;
    transfer.open(&socket, &Options::NONE, &mut buffers)?;
    loop {
        poll.poll(&mut events, None)?;
        if transfer.go_on(&socket, &mut buffers)? == Next::Over {
            return Ok(());
        }
    }
}
