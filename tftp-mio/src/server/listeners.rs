//! The listening sockets of a loop.

use std::{io, mem, net::SocketAddr};

use mio::{Interest, Registry, Token};

use super::worker::WAKE;
use crate::socket::Socket;

/// A loop's own set: one socket for every address that is listened on.
pub(crate) struct Listeners(Vec<Listener>);

struct Listener {
    socket: Socket,
    address: SocketAddr,
    /// Sessions, with their serial numbers, that found the socket full.
    blocked: Vec<(usize, u64)>,
}

impl Listeners {
    pub(crate) fn new(sockets: Vec<Socket>) -> io::Result<Self> {
        let listener = |socket: Socket| {
            let address = socket.address()?;
            Ok(Listener { socket, address, blocked: Vec::new() })
        };
        Ok(Self(sockets.into_iter().map(listener).collect::<io::Result<_>>()?))
    }

    /// Has the poll loop watch all of them.
    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for (index, listener) in self.0.iter_mut().enumerate() {
            listener.socket.watch(registry, token(index), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Which of them a token belongs to.
    pub(crate) fn index(&self, token: Token) -> Option<usize> {
        (WAKE.0 - token.0).checked_sub(1).filter(|&index| index < self.0.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Socket> {
        self.0.get(index).map(|listener| &listener.socket)
    }

    /// What it is bound to.
    pub(crate) fn address(&self, index: usize) -> SocketAddr {
        self.0[index].address
    }

    pub(crate) fn receive_buffer(&self, index: usize) -> io::Result<usize> {
        self.0[index].socket.receive_buffer()
    }

    /// The smallest of all.
    pub(crate) fn least_receive_buffer(&self) -> Option<usize> {
        self.0.iter().filter_map(|listener| listener.socket.receive_buffer().ok()).min()
    }

    /// Nobody listens any more.
    pub(crate) fn close(&mut self) {
        self.0.clear();
    }

    /// Has the loop woken when the socket has room for that session.
    pub(crate) fn add_blocked(
        &mut self,
        registry: &Registry,
        index: usize,
        session: (usize, u64),
    ) -> io::Result<()> {
        let Some(listener) = self.0.get_mut(index) else { return Ok(()) };
        listener.blocked.push(session);
        if listener.blocked.len() > 1 {
            return Ok(());
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        listener.socket.watch(registry, token(index), both)
    }

    /// The sessions that wait for room.
    pub(crate) fn take_blocked(&mut self, registry: &Registry, index: usize) -> Vec<(usize, u64)> {
        let Some(listener) = self.0.get_mut(index) else { return Vec::new() };
        if !listener.blocked.is_empty()
            && let Err(error) = listener.socket.watch(registry, token(index), Interest::READABLE)
        {
            tracing::error!(
                error = %crate::of_the_system(&error),
                "a listening socket cannot be watched"
            );
        }
        mem::take(&mut listener.blocked)
    }
}

/// Their tokens are right below that of the waker.
fn token(index: usize) -> Token {
    Token(WAKE.0 - 1 - index)
}
