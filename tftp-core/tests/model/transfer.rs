//! The model: which states a transfer has, what may happen in each, and what must hold in all.

use std::collections::VecDeque;

use stateright::{Model, Property};
use tftp_core::{Failure, Options, Status};

use crate::{
    halves::{BLOCK_SIZE, Half, Halves, Opener, Sent, Setup, is_request},
    network::{Flying, Network, Span},
};

/// What the network may do. It delays and reorders in any case, and what it delivers last was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Weather {
    /// Whatever was sent once may arrive at any later time, any number of times.
    Boundless,
    /// A copy arrives once. So many copies are made by the network, and the sender's timer goes off
    /// so often.
    Counted { copies: u8, expiries: u8 },
}

#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) setup: Setup,
    pub(crate) weather: Weather,
    pub(crate) span: Span,
    pub(crate) start: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) halves: Halves,
    pub(crate) network: Network,
    /// What has become of the network's budget, where it has one.
    copied: u8,
    expired: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Deliver(Flying),
    Double(Flying),
    Expire(Half),
    /// For the sender's clock a moment passes.
    Moment,
}

impl Transfer {
    /// A transfer from its opening on; the first request has arrived.
    pub(crate) fn opening(setup: Setup, weather: Weather) -> Self {
        let mut halves = Halves::new(&setup);
        let mut network = Network::EMPTY;
        let span = Span { begin: 0, file: setup.file, option_ack: option_ack(&setup.options) };
        for half in [Half::Sender, Half::Receiver] {
            let mut sent = halves.poll(&setup, half, tftp_core::Instant::ZERO);
            sent.retain(|packet| !is_request(packet));
            send(&span, &mut halves, &mut network, half, &sent);
        }
        let start = State { halves, network, copied: 0, expired: 0 };
        Self { setup, weather, span, start }
    }

    /// A transfer from the moment on when all blocks up to `begin` have been acknowledged, on a
    /// network that was sound until then. The next window is on its way.
    pub(crate) fn from_block(setup: Setup, weather: Weather, begin: u64) -> Self {
        let mut this = Self::opening(setup, weather);
        this.span.begin = begin;
        let State { halves, network, .. } = &mut this.start;
        *network = Network::EMPTY;
        let mut flying = VecDeque::from([(this.setup.client(), this.span.option_ack.clone())]);
        while halves.sender.acknowledged() < begin * u64::from(BLOCK_SIZE) {
            let (to, packet) = flying.pop_front().expect("the run-up got stuck");
            let sent = halves.deliver(&this.setup, to, &packet);
            flying.extend(sent.into_iter().map(|packet| (to.other(), packet)));
        }
        let sent: Sent = flying.into_iter().map(|(_, packet)| packet).collect();
        send(&this.span, halves, network, Half::Sender, &sent);
        this
    }

    fn window(&self) -> u32 {
        self.setup.options.window_size().map_or(1, |size| u32::from(size.get()))
    }

    /// The network is sound from now on, though what was on its way is lost: both halves come to
    /// an end, and to a good one where the sender would still send once more.
    fn comes_to_a_good_end(&self, state: &State) -> bool {
        let mut halves = state.halves.clone();
        let hopeful = halves.sender.is_proved()
            && !matches!(halves.receiver.status(), Status::Done(_) | Status::Failed(_))
            && self.would_send_again(&halves);
        let mut flying = VecDeque::<(Half, Vec<u8>)>::new();
        for _ in 0..LONG_ENOUGH {
            let (from, sent) = match flying.pop_front() {
                Some((to, packet)) => (to, halves.deliver(&self.setup, to, &packet)),
                None if halves.pauses() => {
                    (Half::Receiver, halves.expire(&self.setup, Half::Receiver))
                }
                None if !halves.is_over(Half::Sender) => {
                    (Half::Sender, halves.expire(&self.setup, Half::Sender))
                }
                None if !halves.is_over(Half::Receiver) => {
                    (Half::Receiver, halves.expire(&self.setup, Half::Receiver))
                }
                None => {
                    let good = matches!(halves.sender.status(), Status::Done(_))
                        && matches!(halves.receiver.status(), Status::Done(_));
                    return halves.fault.is_none() && (good || !hopeful);
                }
            };
            flying.extend(sent.into_iter().map(|packet| (from.other(), packet)));
        }
        false
    }

    fn would_send_again(&self, halves: &Halves) -> bool {
        let mut halves = halves.clone();
        halves.expire(&self.setup, Half::Sender);
        matches!(halves.sender.status(), Status::Opening | Status::Active(_))
    }
}

impl Model for Transfer {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start.clone()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let State { halves, network, .. } = state;
        for packet in network.packets() {
            actions.push(Action::Deliver(packet));
            if let Weather::Counted { copies, .. } = self.weather
                && state.copied < copies
            {
                actions.push(Action::Double(packet));
            }
        }
        let may_expire = match self.weather {
            Weather::Boundless => true,
            Weather::Counted { expiries, .. } => state.expired < expiries,
        };
        if may_expire && !halves.is_over(Half::Sender) {
            actions.push(Action::Expire(Half::Sender));
        }
        if !halves.is_over(Half::Receiver) {
            actions.push(Action::Expire(Half::Receiver));
        }
        if !halves.late {
            actions.push(Action::Moment);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let State { halves, network, copied, expired } = &mut state;
        let (half, sent) = match action {
            Action::Deliver(packet) => {
                if self.weather != Weather::Boundless {
                    network.remove(packet);
                }
                let (to, bytes) = self.span.packet(packet, self.setup.client());
                (to, halves.deliver(&self.setup, to, &bytes))
            }
            Action::Double(packet) => {
                network.add(packet);
                *copied += 1;
                return Some(state);
            }
            Action::Expire(half) => {
                if half == Half::Sender && self.weather != Weather::Boundless {
                    *expired += 1;
                }
                (half, halves.expire(&self.setup, half))
            }
            Action::Moment => {
                halves.let_pass();
                return Some(state);
            }
        };
        send(&self.span, halves, network, half, &sent);
        if self.weather == Weather::Boundless {
            network.forget_copies();
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("the file is never wrong", |_, state: &State| {
                state.halves.fault.is_none()
            }),
            Property::always(
                "a sender that is done has delivered the file",
                |this: &Self, state: &State| {
                    let done = matches!(state.halves.sender.status(), Status::Done(_));
                    !done || state.halves.is_complete(this.setup.file)
                },
            ),
            Property::always(
                "a receiver that is done has the file",
                |this: &Self, state: &State| {
                    !state.halves.receiver_is_content() || state.halves.is_complete(this.setup.file)
                },
            ),
            Property::always("only stored bytes count as acknowledged", |_, state: &State| {
                let stored = state.halves.stored * u64::from(BLOCK_SIZE);
                state.halves.sender.acknowledged() <= stored
            }),
            Property::always("no half waits for ever", |_, state: &State| {
                [Half::Sender, Half::Receiver]
                    .into_iter()
                    .filter_map(|half| state.halves.timer(half))
                    .all(|due| due < tftp_core::Instant::NEVER)
            }),
            Property::always("nothing but silence makes a half fail", |_, state: &State| {
                let fails = [state.halves.sender.status(), state.halves.receiver.status()];
                fails.iter().all(|status| match status {
                    Status::Failed(failure) => matches!(
                        failure,
                        Failure::TimedOut
                            | Failure::NoAnswer
                            | Failure::PeerAborted(_)
                            | Failure::Refused(_)
                    ),
                    _ => true,
                })
            }),
            Property::always(
                "a window is begun twice at most, in lock-step once",
                |this: &Self, state: &State| u32::from(state.halves.begun) <= this.window().min(2),
            ),
            Property::always(
                "copies of a block in flight are few",
                |this: &Self, state: &State| {
                    // As many as there are windows with the block in them, each begun twice at most, in
                    // lock-step once; and what time-outs and the network add.
                    let windows = this.window() + u32::from(state.expired);
                    let most = this.window().min(2) * windows + u32::from(state.copied);
                    let counted = this.weather != Weather::Boundless;
                    !counted || state.network.most_copies_of_data() <= most
                },
            ),
            Property::always(
                "a sound network brings it to a good end",
                |this: &Self, state: &State| this.comes_to_a_good_end(state),
            ),
            Property::sometimes("both halves are done", |_, state: &State| {
                matches!(state.halves.sender.status(), Status::Done(_))
                    && matches!(state.halves.receiver.status(), Status::Done(_))
            }),
        ];
        if self.weather == Weather::Boundless {
            properties.extend([
                Property::sometimes("the last ACK never comes", |_, state: &State| {
                    matches!(state.halves.sender.status(), Status::Unconfirmed(_))
                        && state.halves.receiver_is_content()
                }),
                Property::sometimes("both halves give up", |_, state: &State| {
                    matches!(state.halves.sender.status(), Status::Failed(_))
                        && matches!(state.halves.receiver.status(), Status::Failed(_))
                }),
            ]);
        }
        properties
    }
}

/// More packets than the end of any transfer here takes on a sound network.
const LONG_ENOUGH: usize = 100;

impl Half {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }
}

impl Setup {
    pub(crate) fn client(&self) -> Half {
        match self.opener {
            Opener::Receiver => Half::Receiver,
            Opener::Sender => Half::Sender,
        }
    }
}

fn send(span: &Span, halves: &mut Halves, network: &mut Network, from: Half, sent: &Sent) {
    for packet in sent {
        match span.recognise(from, packet) {
            Ok((_, flying)) => network.add(flying),
            Err(fault) => halves.accuse(true, fault),
        }
    }
}

fn option_ack(options: &Options) -> Vec<u8> {
    let mut packet = vec![0, 6];
    for (kind, value) in options.iter() {
        packet.extend(format!("{}\0{value}\0", kind.name()).bytes());
    }
    packet
}
