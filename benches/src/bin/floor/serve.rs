//! The loop, and the sockets of transfers, which are used again and again.

use std::{
    fs::{File, OpenOptions},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tftp_core::{Limits, Operation, Options, Packet, Params, Request, SMALL_PACKET};

use crate::transfer::{Buffers, Next, Transfer};

/// Room for a storm of requests, and for the largest window.
const BUFFER: usize = 4 << 20;

const LISTENER: Token = Token(usize::MAX);

/// What to serve.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address of the listening socket
    #[arg(long, default_value = "127.0.0.1:6969")]
    listen: SocketAddr,

    /// Never sleep
    #[arg(long)]
    busy_poll: bool,

    /// The folder to serve
    #[arg(default_value = ".")]
    root: PathBuf,
}

/// A socket that waits for its next transfer, or has one.
struct Slot {
    socket: UdpSocket,
    transfer: Option<Transfer>,
}

struct Floor {
    root: PathBuf,
    address: SocketAddr,
    poll: Poll,
    slots: Vec<Slot>,
    free: Vec<usize>,
    buffers: Buffers,
}

/// Serves until it is killed.
pub(crate) fn run(Serve { listen, busy_poll, root }: Serve) -> io::Result<()> {
    let poll = Poll::new()?;
    let mut listener = bind(listen)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut floor = Floor {
        root,
        address: listen,
        poll,
        slots: Vec::new(),
        free: Vec::new(),
        buffers: Buffers::new(),
    };
    let mut events = Events::with_capacity(1024);
    loop {
        floor.poll.poll(&mut events, busy_poll.then_some(Duration::ZERO))?;
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener)?,
                Token(slot) => floor.go_on(slot)?,
            }
        }
    }
}

impl Floor {
    fn accept(&mut self, listener: &UdpSocket) -> io::Result<()> {
        let mut datagram = [0; SMALL_PACKET];
        loop {
            let (len, peer) = match listener.recv_from(&mut datagram) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                result => result?,
            };
            if let Ok(Packet::Request(request)) = Packet::parse(&datagram[..len]) {
                self.begin(peer, &request)?;
            }
        }
    }

    fn begin(&mut self, peer: SocketAddr, request: &Request<'_>) -> io::Result<()> {
        let path = self.root.join(Path::new(&*String::from_utf8_lossy(request.filename)));
        let (file, size) = match request.operation {
            Operation::Read => match File::open(path) {
                Ok(file) => {
                    let size = file.metadata()?.len();
                    (file, size)
                }
                // Whoever asks for what is not there asks again.
                Err(_) => return Ok(()),
            },
            Operation::Write => {
                (OpenOptions::new().write(true).create(true).truncate(true).open(path)?, 0)
            }
        };
        let granted = Limits::default().answer(request, Some(size)).unwrap_or(Options::NONE);
        let params = Params::from(granted);
        let index = self.slot()?;
        let slot = &mut self.slots[index];
        let mut transfer = Transfer::new(request.operation, peer, file, size, params);
        transfer.prepare(&slot.socket)?;
        transfer.open(&slot.socket, &granted, &mut self.buffers)?;
        slot.transfer = Some(transfer);
        Ok(())
    }

    /// A socket without a transfer.
    fn slot(&mut self) -> io::Result<usize> {
        if let Some(index) = self.free.pop() {
            return Ok(index);
        }
        let mut socket = bind(SocketAddr::new(self.address.ip(), 0))?;
        let index = self.slots.len();
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
        self.slots.push(Slot { socket, transfer: None });
        Ok(index)
    }

    fn go_on(&mut self, index: usize) -> io::Result<()> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        let Some(transfer) = &mut slot.transfer else { return Ok(()) };
        if transfer.go_on(&slot.socket, &mut self.buffers)? == Next::Over {
            slot.transfer = None;
            self.free.push(index);
        }
        Ok(())
    }
}

/// A socket with large buffers and GRO.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
        socket.set_recv_buffer_size(BUFFER)?;
    }
    socket.set_send_buffer_size(BUFFER)?;
    setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}
