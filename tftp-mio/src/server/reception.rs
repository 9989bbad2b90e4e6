//! What becomes of a datagram on a listening socket: a new transfer, a refusal, one small ERROR, or
//! nothing.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
};

use tftp_core::{
    ErrorCode, Instant, Limits, Malformed, Options, Order, Packet, Receiver, Request, Sender,
    Timing,
};

use super::{
    judge::Judge,
    report,
    session::About,
    sessions::{Known, Sessions},
};
use crate::{
    socket::{Arrival, Listener, enlarge_receive_buffer, is_broadcast},
    storage::{Denied, Storage, Wanted},
    transfer::{Content, Transfer},
};

/// Decides about requests.
pub(crate) struct Reception {
    judge: Judge,
    timing: Timing,
    fingerprints: RandomState,
}

impl Reception {
    pub(crate) fn new(storage: Arc<dyn Storage>, limits: Limits, timing: Timing) -> Self {
        Self { judge: Judge::new(storage, limits), timing, fingerprints: RandomState::new() }
    }

    /// Takes a datagram that came to `listener`.
    pub(crate) fn handle(
        &self,
        now: Instant,
        listener: &Listener,
        arrival: &Arrival<'_>,
        sessions: &mut Sessions,
    ) {
        // Nobody can be at port 0, and what claims to come from our own address would be answered
        // for ever. Requests to a group are answered by nobody, or by everybody.
        let own = arrival.from == listener.address()
            || (arrival.from.port() == listener.address().port()
                && arrival.from.ip() == arrival.to);
        if arrival.from.port() == 0 || own || is_group(listener, arrival.to) {
            tracing::debug!(peer = %arrival.from, to = %arrival.to, "datagram ignored");
            return;
        }
        match Packet::parse(arrival.datagram) {
            Ok(Packet::Request(request)) => {
                self.handle_request(now, listener, arrival, &request, sessions);
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
                answer(listener, arrival, ErrorCode::ILLEGAL_OPERATION, &malformed.to_string());
            }
        }
    }

    fn handle_request(
        &self,
        now: Instant,
        listener: &Listener,
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
        let (socket, port) = match sessions.open_port(now, arrival.to, arrival.from) {
            Ok(opened) => opened,
            Err(why) => {
                let text = format!("server is busy: {why}");
                let busy = Denied { code: ErrorCode::NOT_DEFINED, text: text.into() };
                report::refused(arrival.from, request, &busy);
                // There is no other socket to say so from; a client that heard nothing would ask
                // again and again.
                return answer(listener, arrival, busy.code, &Denied::BUSY.text);
            }
        };
        let wanted = Wanted::new(arrival.from.ip(), request);
        let decide = || self.judge.decide(request, &wanted, || enlarge_receive_buffer(&socket));
        let mut granted = decide();
        while matches!(&granted, Err(denied) if *denied == Denied::BUSY) && sessions.make_room(now)
        {
            granted = decide();
        }
        match granted {
            Ok((options, content)) => {
                let transfer = self.transfer(now, arrival, options, content);
                let about = About::new(now, arrival.from, request, fingerprint);
                sessions.open(now, transfer, socket, port, about);
            }
            Err(denied) => {
                report::refused(arrival.from, request, &denied);
                let error = encode_error(denied.code, &denied.text);
                if let Err(error) = socket.send_to(&error, arrival.from) {
                    tracing::debug!(peer = %arrival.from, %error, "an ERROR could not be sent");
                }
                sessions.close_port(port);
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
fn answer(listener: &Listener, arrival: &Arrival<'_>, code: ErrorCode, text: &str) {
    let error = encode_error(code, text);
    if let Err(error) = listener.answer(arrival.to, arrival.from, &error) {
        tracing::debug!(peer = %arrival.from, %error, "an ERROR could not be sent");
    }
}

/// Whether an address of ours is one that others have too.
fn is_group(listener: &Listener, to: IpAddr) -> bool {
    match to {
        // Only a wildcard takes what was sent to another address than its own.
        IpAddr::V4(ip) => {
            let any = listener.address().ip().is_unspecified();
            ip.is_multicast() || (any && is_broadcast(ip))
        }
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

fn encode_error(code: ErrorCode, text: &str) -> Vec<u8> {
    let mut out = vec![0; text.len() + 5];
    let len = Packet::Error { code, message: text.as_bytes() }.encode(&mut out).unwrap_or(0);
    out.truncate(len);
    out
}
