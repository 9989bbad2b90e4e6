//! What becomes of a datagram on a listening socket: a new transfer, a refusal, one small ERROR, or
//! nothing.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tftp_core::{
    BlockSize, ErrorCode, Instant, Limits, Malformed, Mode, Operation, Options, Order, Packet,
    Receiver, Refusal, Request, Sender, Timing, WindowSize,
};

use super::{
    report,
    session::{About, Way},
    sessions::{Known, Sessions},
};
use crate::{
    socket::{Arrival, Route, is_broadcast},
    storage::{
        Denied, Storage,
        netascii::{NetasciiSink, NetasciiSource},
    },
    transfer::{Content, Transfer},
};

/// Decides about requests.
pub(crate) struct Reception {
    storage: Arc<dyn Storage>,
    limits: Limits,
    timing: Timing,
    fingerprints: RandomState,
}

impl Reception {
    pub(crate) fn new(storage: Arc<dyn Storage>, limits: Limits, timing: Timing) -> Self {
        Self { storage, limits, timing, fingerprints: RandomState::new() }
    }

    /// Takes a datagram that came to the listening socket with this index.
    pub(crate) fn handle(
        &self,
        now: Instant,
        index: usize,
        arrival: &Arrival<'_>,
        sessions: &mut Sessions,
    ) {
        // Nobody can be at port 0, and what claims to come from our own address would be answered
        // for ever. Requests to a group are answered by nobody, or by everybody.
        let listening = sessions.listeners.address(index);
        let to = arrival.to.unwrap_or(listening.ip());
        let own = arrival.from == listening
            || (arrival.from.port() == listening.port() && arrival.from.ip() == to);
        if arrival.from.port() == 0 || own || is_group(listening, to) {
            tracing::debug!(peer = %arrival.from, %to, "datagram ignored");
            return;
        }
        match Packet::parse(arrival.datagram) {
            Ok(Packet::Request(request)) => {
                self.handle_request(now, index, arrival, &request, sessions);
            }
            // An answer to one of these could start two servers answering each other
            // (CVE-2024-2169).
            Ok(
                Packet::Data { .. }
                | Packet::Ack { .. }
                | Packet::Error { .. }
                | Packet::OptionAck(_),
            )
            | Err(Malformed::TooShort) => {
                tracing::debug!(peer = %arrival.from, "no request");
            }
            Err(malformed) => {
                tracing::debug!(peer = %arrival.from, %malformed, "no request");
                let text = malformed.to_string();
                answer(sessions, index, arrival, ErrorCode::ILLEGAL_OPERATION, &text);
            }
        }
    }

    fn handle_request(
        &self,
        now: Instant,
        index: usize,
        arrival: &Arrival<'_>,
        request: &Request<'_>,
        sessions: &mut Sessions,
    ) {
        let fingerprint = self.fingerprints.hash_one(arrival.datagram);
        match sessions.known(now, arrival.from, fingerprint) {
            Known::Same(session) => return sessions.handle_repeated_request(now, session),
            Known::Begun => {
                tracing::debug!(peer = %arrival.from, "request doubled");
                return;
            }
            // PXE ROMs use their port again after an abort that was lost.
            Known::Unanswered(session) => sessions.drop_replaced(now, session),
            Known::No => {}
        }
        let way = match sessions.open_way(now, index, arrival) {
            Ok(way) => way,
            Err(why) => {
                let text = format!("server is busy: {why}");
                let busy = Denied { code: ErrorCode::NOT_DEFINED, text: text.into() };
                report::refused(arrival.from, request, &busy);
                // There is no other socket to say so from; a client that heard nothing would ask
                // again and again.
                return answer(sessions, index, arrival, busy.code, &Denied::BUSY.text);
            }
        };
        let mut granted = self.grant(request, sessions, &way);
        while matches!(&granted, Err(denied) if *denied == Denied::BUSY) && sessions.make_room(now)
        {
            granted = self.grant(request, sessions, &way);
        }
        match granted {
            Ok((options, content)) => {
                let transfer = self.transfer(now, arrival, options, content);
                let about = About::new(now, arrival.from, request, fingerprint);
                sessions.open(now, transfer, way, about);
            }
            Err(denied) => {
                report::refused(arrival.from, request, &denied);
                sessions.refuse(way, arrival.from, &encode_error(denied.code, &denied.text));
            }
        }
    }

    /// Decides on options and opens the content.
    fn grant(
        &self,
        request: &Request<'_>,
        sessions: &Sessions,
        way: &Way,
    ) -> Result<(Options, Content), Denied> {
        match request.operation {
            Operation::Read => {
                // Asked before anything is opened: a mail request names no file.
                self.limits.answer(request, None).map_err(denied)?;
                let source = self.storage.open(request.filename)?;
                let source = match request.mode {
                    Mode::Octet => source,
                    Mode::Netascii | Mode::Mail => Box::new(NetasciiSource::new(source)),
                };
                let options = self.limits.answer(request, source.size()).map_err(denied)?;
                Ok((options, Content::Source(source)))
            }
            Operation::Write => {
                let mut limits = self.limits;
                // A peer sends all of a window at once: one that our buffer cannot hold would lose
                // its end every time.
                let buffer = sessions.receive_buffer(way).map_err(|error| no_buffer(&error))?;
                let asked = request.options.block_size().unwrap_or(BlockSize::DEFAULT);
                let block_size = asked.min(limits.max_block_size);
                limits.max_window_size = limits.max_window_size.min(window_for(buffer, block_size));
                let options = limits.answer(request, None).map_err(denied)?;
                let sink =
                    self.storage.create(request.filename, request.options.transfer_size())?;
                let sink = match request.mode {
                    Mode::Octet => sink,
                    Mode::Netascii | Mode::Mail => Box::new(NetasciiSink::new(sink)),
                };
                Ok((options, Content::Sink(sink)))
            }
        }
    }

    fn transfer(
        &self,
        now: Instant,
        arrival: &Arrival<'_>,
        options: Options,
        content: Content,
    ) -> Transfer {
        match content {
            Content::Source(source) => {
                let machine = Sender::reply(now, arrival.from, options, source.size(), self.timing);
                Transfer::sending(machine, source)
            }
            Content::Sink(sink) => {
                let order = if sink.seekable() { Order::Any } else { Order::Strict };
                let machine = Receiver::reply(now, arrival.from, options, order, self.timing);
                Transfer::receiving(machine, sink)
            }
        }
    }
}

/// Answers with an ERROR from the listening socket.
fn answer(sessions: &Sessions, index: usize, arrival: &Arrival<'_>, code: ErrorCode, text: &str) {
    let route = Route { to: arrival.from, from: arrival.to };
    let error = encode_error(code, text);
    if let Some(listener) = sessions.listeners.get(index)
        && let Err(error) = listener.send(route, &error)
    {
        tracing::debug!(peer = %arrival.from, %error, "an ERROR could not be sent");
    }
}

/// Whether an address of ours is one that others have too.
fn is_group(listening: SocketAddr, to: IpAddr) -> bool {
    match to {
        // Only a wildcard takes what was sent to another address than its own.
        IpAddr::V4(ip) => {
            let any = listening.ip().is_unspecified();
            ip.is_multicast() || (any && is_broadcast(ip))
        }
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

/// Blocks of that size which a receive buffer of `bytes` holds, in the system's way of counting:
/// Linux charges a datagram with the memory that it occupies, about the next power of two.
fn window_for(bytes: usize, block_size: BlockSize) -> WindowSize {
    const OVERHEAD: usize = 768;
    let datagram = (usize::from(block_size.get()) + 400).next_power_of_two() + OVERHEAD;
    let blocks = u16::try_from(bytes / datagram).unwrap_or(u16::MAX);
    WindowSize::new(blocks).unwrap_or(WindowSize::LOCK_STEP)
}

fn denied(refusal: Refusal) -> Denied {
    Denied { code: refusal.code(), text: refusal.to_string().into() }
}

fn no_buffer(error: &io::Error) -> Denied {
    Denied { code: ErrorCode::NOT_DEFINED, text: format!("no receive buffer: {error}").into() }
}

fn encode_error(code: ErrorCode, text: &str) -> Vec<u8> {
    let mut out = vec![0; text.len() + 5];
    let len = Packet::Error { code, message: text.as_bytes() }.encode(&mut out).unwrap_or(0);
    out.truncate(len);
    out
}
