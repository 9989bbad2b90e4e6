//! What becomes of a datagram on a listening socket: a new transfer, a refusal, one small ERROR, or
//! nothing.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use tftp_core::{ErrorCode, Instant, Malformed, Options, Order, Packet, Receiver, Request, Sender};

use super::{
    counters::Refused,
    groups::Groups,
    limits::{Full, Permit},
    own_addresses::OwnAddresses,
    policy::{Policy, Published, Subscription},
    session::{About, Way},
    sessions::{Known, Parked, Sessions},
};
use crate::{
    socket::{Arrival, Route, address_towards},
    storage::{Denied, Wanted, other_file},
    transfer::{Content, Transfer},
};

/// Decides about requests.
pub(crate) struct Reception {
    policy: Subscription,
    own: Arc<OwnAddresses>,
    groups: Groups,
    /// What is sent to a group comes to every worker's sockets; one of them answers.
    answers_groups: bool,
    fingerprints: RandomState,
}

/// What a request may still wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// For what its peer has sent before by another socket, and then for room.
    Order,
    /// Until another worker has made room for it.
    Room,
    None,
}

impl Reception {
    pub(crate) fn new(
        policy: Arc<Published>,
        own: Arc<OwnAddresses>,
        answers_groups: bool,
    ) -> Self {
        let fingerprints = RandomState::new();
        let (policy, groups) = (Subscription::new(policy), Groups::new());
        Self { policy, own, groups, answers_groups, fingerprints }
    }

    /// Decides from now on by the latest policy, and returns it.
    pub(crate) fn refresh(&mut self) -> &Policy {
        self.policy.refresh();
        self.policy.policy()
    }

    /// Takes a request once more that has waited for room.
    pub(crate) fn handle_parked(&self, now: Instant, parked: &Parked, sessions: &mut Sessions) {
        self.handle_again(now, parked, sessions, Patience::None);
    }

    /// Takes a request once more that has waited for what was sent before it.
    pub(crate) fn handle_overtaking(&self, now: Instant, parked: &Parked, sessions: &mut Sessions) {
        self.handle_again(now, parked, sessions, Patience::Room);
    }

    fn handle_again(
        &self,
        now: Instant,
        parked: &Parked,
        sessions: &mut Sessions,
        patience: Patience,
    ) {
        let &Parked { index, from, to, ref datagram, .. } = parked;
        if let Ok(Packet::Request(request)) = Packet::parse(datagram) {
            let arrival = Arrival { index, from, to, datagram };
            self.handle_request(now, &arrival, &request, sessions, patience);
        }
    }

    /// Takes a datagram that came to a listening socket.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        mut arrival: Arrival<'_>,
        sessions: &mut Sessions,
    ) {
        let listening = sessions.listeners.address(arrival.index);
        let policy = self.policy.policy();
        let reporter = sessions.reporter();
        if !policy.access.admits(arrival.from.ip()) {
            return reporter.sender_refused(now, arrival.from);
        }
        // Nobody can be at port 0, and what claims to come from our own address would be answered
        // for ever.
        if arrival.from.port() == 0 || self.own.contains(arrival.from) {
            return reporter.ignored(now, &arrival, Refused::Address, "nobody can be there");
        }
        let group = self.groups.contain(now, listening, arrival.to);
        if group && !self.answers_groups {
            return;
        }
        if group {
            // Requests to a group are answered by nobody, or by everybody.
            match policy.broadcast.then(|| address_towards(arrival.from)).transpose() {
                Ok(Some(unicast)) => arrival.to = unicast,
                Ok(None) => {
                    return reporter.ignored(now, &arrival, Refused::Address, "sent to a group");
                }
                Err(error) => return reporter.ignored(now, &arrival, Refused::Address, error),
            }
        }
        match Packet::parse(arrival.datagram) {
            Ok(Packet::Request(request)) => {
                self.handle_request(now, &arrival, &request, sessions, Patience::Order);
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
                reporter.ignored(now, &arrival, Refused::NoRequest, "");
            }
            Err(malformed) => {
                reporter.ignored(now, &arrival, Refused::Malformed, malformed);
                if !group {
                    let text = malformed.to_string();
                    answer(sessions, &arrival, ErrorCode::ILLEGAL_OPERATION, &text);
                }
            }
        }
    }

    fn handle_request(
        &self,
        now: Instant,
        arrival: &Arrival<'_>,
        request: &Request<'_>,
        sessions: &mut Sessions,
        patience: Patience,
    ) {
        // It is compared with one other.
        let fingerprint = (self.fingerprints.hash_one(arrival.datagram) >> 32) as u32;
        let known = sessions.known(now, arrival.from, fingerprint);
        if (patience == Patience::Order && sessions.put_off(arrival, known))
            || !is_new(now, arrival, known, sessions)
        {
            return;
        }
        let Some(mut way) = open_way(now, arrival, request, sessions, patience) else { return };
        let file = Cell::default();
        let wanted = Wanted { file: Some(&file), ..Wanted::new(arrival.from.ip(), request) };
        let mut decide = |sessions: &mut Sessions| {
            let mut carrier = sessions.carrier(now, &mut way, arrival.from);
            self.policy.policy().judge.decide(request, &wanted, &mut carrier)
        };
        let mut granted = decide(sessions);
        while matches!(&granted, Err(denied) if *denied == Denied::BUSY) {
            let room = sessions.make_room(now);
            if room == Some(true) {
                granted = decide(sessions);
            } else if patience != Patience::None && sessions.park(arrival, room.is_some()) {
                return sessions.close(way);
            } else {
                break;
            }
        }
        // What is refused anyway takes nobody's permit.
        let admitted =
            granted.map_err(|denied| (Refused::by_code(denied.code), denied)).and_then(|granted| {
                match sessions.admit(now, arrival.from.ip()) {
                    Ok(permit) => Ok((granted, permit)),
                    Err(full) => Err(full.into()),
                }
            });
        if let Err((Refused::Busy | Refused::ClientBusy, _)) = admitted
            && patience != Patience::None
            && sessions.park(arrival, false)
        {
            return sessions.close(way);
        }
        let file = other_file(request.filename, file.take());
        match admitted {
            Ok(((options, content), permit)) => {
                let transfer = self.transfer(now, arrival, options, content, &permit);
                let about = About::new(now, request, file, fingerprint);
                sessions.open(now, transfer, way, about, permit);
            }
            Err((reason, denied)) => {
                let (reporter, file) = (sessions.reporter(), file.as_deref());
                reporter.refused(now, arrival.from, request, file, &denied, reason);
                sessions.refuse(way, arrival.from, &encode_error(denied.code, &denied.text));
            }
        }
    }

    fn transfer(
        &self,
        now: Instant,
        arrival: &Arrival<'_>,
        options: Options,
        content: Content,
        permit: &Permit,
    ) -> Transfer {
        let timing = self.policy.policy().timing;
        let timing = if permit.repeats() { timing } else { timing.sparing() };
        match content {
            Content::Source(source) => {
                let machine = Sender::reply(now, arrival.from, options, source.size(), timing);
                Transfer::sending(machine, source)
            }
            Content::Sink(sink) => {
                let order = if sink.seekable() { Order::Any } else { Order::Strict };
                let machine = Receiver::reply(now, arrival.from, options, order, timing);
                Transfer::receiving(machine, sink)
            }
        }
    }
}

/// Whether a request begins a transfer, as far as is known of its peer; one that it replaces is dropped.
/// One that repeats another has its answer repeated.
fn is_new(now: Instant, arrival: &Arrival<'_>, known: Known, sessions: &mut Sessions) -> bool {
    match known {
        Known::No => {}
        // PXE ROMs use their port again after an abort that was lost.
        Known::Unanswered(session) => sessions.drop_replaced(now, session),
        Known::Same(session) => sessions.handle_repeated_request(now, session),
        Known::Begun(_) => tracing::debug!(peer = %arrival.from, "request doubled"),
    }
    matches!(known, Known::No | Known::Unanswered(_))
}

/// A way for the answer. Where there is none the request waits for one, or is refused.
fn open_way(
    now: Instant,
    arrival: &Arrival<'_>,
    request: &Request<'_>,
    sessions: &mut Sessions,
    patience: Patience,
) -> Option<Way> {
    match sessions.open_way(now, arrival) {
        Ok(way) => return Some(way),
        Err((_, told)) if patience != Patience::None && sessions.park(arrival, told) => {}
        Err((why, _)) => {
            let text = format!("server is busy: {why}");
            let busy = Denied { code: ErrorCode::NOT_DEFINED, text: text.into() };
            sessions.reporter().refused(now, arrival.from, request, None, &busy, Refused::Busy);
            // There is no other socket to say so from; a client that heard nothing would ask again
            // and again.
            answer(sessions, arrival, busy.code, &Denied::BUSY.text);
        }
    }
    None
}

/// Answers with an ERROR from the listening socket.
fn answer(sessions: &Sessions, arrival: &Arrival<'_>, code: ErrorCode, text: &str) {
    let route = Route { to: arrival.from, from: Some(arrival.to) };
    let error = encode_error(code, text);
    if let Some(listener) = sessions.listeners.get(arrival.index)
        && let Err(error) = listener.send(route, &error)
    {
        tracing::debug!(peer = %arrival.from, %error, "an ERROR could not be sent");
    }
}

impl From<Full> for (Refused, Denied) {
    fn from(full: Full) -> Self {
        match full {
            Full::Client => {
                let text = "server is busy: too many transfers of this client";
                (Refused::ClientBusy, Denied::new(ErrorCode::NOT_DEFINED, text))
            }
            Full::Transfers | Full::HalfOpen => {
                let text = "server is busy: too many transfers";
                (Refused::Busy, Denied::new(ErrorCode::NOT_DEFINED, text))
            }
        }
    }
}

fn encode_error(code: ErrorCode, text: &str) -> Vec<u8> {
    let mut out = vec![0; text.len() + 5];
    let len = Packet::Error { code, message: text.as_bytes() }.encode(&mut out).unwrap_or(0);
    out.truncate(len);
    out
}
