//! The order in which transfers give way. It is two queues through the same tickets, of all transfers
//! and of each client's, as a flood is met by the number of half-open ones: each takes 32 bytes, and
//! coming and going costs the same however many there are.

use slab::Slab;

use super::clients::Clients;
use crate::slots::number;

/// Tickets of transfers that may have to give way.
#[derive(Debug, Default)]
pub(crate) struct Order {
    tickets: Slab<Ticket>,
    /// Those whose peers have proved nothing.
    unproved: Queue,
    /// Those that are done, and only there to repeat their last ACK.
    lingering: Queue,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    worker: u32,
    key: u32,
}

/// A transfer's place. It is kept until the transfer gives it back, also when it is its turn.
#[derive(Debug)]
struct Ticket {
    standing: Standing,
    candidate: Candidate,
    /// Whose transfer it is; of none that lingers.
    client: u32,
    among_all: Neighbours,
    among_the_clients: Neighbours,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unproved,
    Lingering,
    /// It is its turn to give way.
    Chosen,
}

/// Tickets in the order in which they were taken: a ring, so that the last is the one before the
/// first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    /// Or [`NOBODY`].
    first: u32,
}

const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Neighbours {
    before: u32,
    behind: u32,
}

/// A ticket's neighbours in one of the two queues that it is in.
type Side = fn(&mut Slab<Ticket>, u32) -> &mut Neighbours;

const AMONG_ALL: Side = |tickets, ticket| &mut tickets[ticket as usize].among_all;
const AMONG_THE_CLIENTS: Side = |tickets, ticket| &mut tickets[ticket as usize].among_the_clients;

impl Candidate {
    pub(crate) fn new(worker: usize, key: usize) -> Self {
        Self { worker: number(worker), key: number(key) }
    }

    pub(crate) fn worker(self) -> usize {
        self.worker as usize
    }

    pub(crate) fn key(self) -> usize {
        self.key as usize
    }
}

impl Order {
    /// A ticket for a transfer of `client` whose peer has proved nothing.
    pub(crate) fn enter_unproved(
        &mut self,
        candidate: Candidate,
        client: u32,
        clients: &mut Clients,
    ) -> u32 {
        let ticket = self.issue(Standing::Unproved, candidate, client);
        self.unproved.push(&mut self.tickets, AMONG_ALL, ticket);
        let of_client = &mut clients.get_mut(client).unproved;
        of_client.push(&mut self.tickets, AMONG_THE_CLIENTS, ticket);
        ticket
    }

    /// A ticket for a transfer that has done its work.
    pub(crate) fn enter_lingering(&mut self, candidate: Candidate) -> u32 {
        let ticket = self.issue(Standing::Lingering, candidate, NOBODY);
        self.lingering.push(&mut self.tickets, AMONG_ALL, ticket);
        ticket
    }

    /// Takes a ticket back. Returns the client that it was issued for.
    pub(crate) fn leave(&mut self, ticket: u32, clients: &mut Clients) -> u32 {
        self.take_out(ticket, clients);
        let client = self.tickets.remove(ticket as usize).client;
        // What a storm of requests took is given back.
        if self.tickets.is_empty() {
            self.tickets.shrink_to_fit();
        }
        client
    }

    /// Chooses the transfer that has lingered longest.
    pub(crate) fn choose_lingering(&mut self, clients: &mut Clients) -> Option<Candidate> {
        self.choose(self.lingering, clients)
    }

    /// Chooses the oldest transfer whose peer has proved nothing, of one client or of all.
    pub(crate) fn choose_unproved(
        &mut self,
        client: Option<u32>,
        clients: &mut Clients,
    ) -> Option<Candidate> {
        let queue = client.map_or(self.unproved, |client| clients.get(client).unproved);
        self.choose(queue, clients)
    }

    pub(crate) fn is_chosen(&self, ticket: u32) -> bool {
        self.tickets[ticket as usize].standing == Standing::Chosen
    }

    fn choose(&mut self, queue: Queue, clients: &mut Clients) -> Option<Candidate> {
        let ticket = queue.first()?;
        self.take_out(ticket, clients);
        let ticket = &mut self.tickets[ticket as usize];
        ticket.standing = Standing::Chosen;
        Some(ticket.candidate)
    }

    fn issue(&mut self, standing: Standing, candidate: Candidate, client: u32) -> u32 {
        let alone = Neighbours { before: NOBODY, behind: NOBODY };
        number(self.tickets.insert(Ticket {
            standing,
            candidate,
            client,
            among_all: alone,
            among_the_clients: alone,
        }))
    }

    /// Out of the queues that it is in.
    fn take_out(&mut self, ticket: u32, clients: &mut Clients) {
        let &Ticket { standing, client, .. } = &self.tickets[ticket as usize];
        match standing {
            Standing::Unproved => {
                self.unproved.remove(&mut self.tickets, AMONG_ALL, ticket);
                let of_client = &mut clients.get_mut(client).unproved;
                of_client.remove(&mut self.tickets, AMONG_THE_CLIENTS, ticket);
            }
            Standing::Lingering => self.lingering.remove(&mut self.tickets, AMONG_ALL, ticket),
            Standing::Chosen => {}
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { first: NOBODY }
    }
}

impl Queue {
    fn first(self) -> Option<u32> {
        (self.first != NOBODY).then_some(self.first)
    }

    fn push(&mut self, tickets: &mut Slab<Ticket>, side: Side, ticket: u32) {
        let first = self.first().unwrap_or(ticket);
        let last = if first == ticket { ticket } else { side(tickets, first).before };
        self.first = first;
        *side(tickets, ticket) = Neighbours { before: last, behind: first };
        side(tickets, last).behind = ticket;
        side(tickets, first).before = ticket;
    }

    fn remove(&mut self, tickets: &mut Slab<Ticket>, side: Side, ticket: u32) {
        let Neighbours { before, behind } = *side(tickets, ticket);
        side(tickets, before).behind = behind;
        side(tickets, behind).before = before;
        if self.first == ticket {
            self.first = if behind == ticket { NOBODY } else { behind };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    /// Three clients, and the tickets of five transfers with the keys 0 to 4.
    fn five() -> (Order, Clients, [u32; 3], Vec<u32>) {
        let (mut order, mut clients) = (Order::default(), Clients::default());
        let [a, b, c] =
            [1, 2, 3].map(|host| clients.find_or_insert(IpAddr::from([192, 0, 2, host])));
        let enter =
            |(key, client)| order.enter_unproved(Candidate::new(0, key), client, &mut clients);
        let tickets = [a, b, a, b, a].into_iter().enumerate().map(enter).collect();
        (order, clients, [a, b, c], tickets)
    }

    fn chosen(order: &mut Order, client: Option<u32>, clients: &mut Clients) -> Vec<usize> {
        std::iter::from_fn(|| order.choose_unproved(client, clients)).map(Candidate::key).collect()
    }

    #[test]
    fn the_oldest_comes_first_of_all_and_of_a_client() {
        let (mut order, mut clients, [a, b, c], _) = five();
        assert_eq!(chosen(&mut order, Some(c), &mut clients), []);
        assert_eq!(chosen(&mut order, Some(a), &mut clients), [0, 2, 4]);
        assert_eq!(chosen(&mut order, None, &mut clients), [1, 3]);
        assert_eq!(chosen(&mut order, Some(b), &mut clients), []);
    }

    #[test]
    fn who_leaves_from_the_front_the_middle_or_the_end_is_passed_over() {
        for left in 0..5 {
            let (mut order, mut clients, [a, ..], tickets) = five();
            order.leave(tickets[left], &mut clients);
            let rest = |keys: &[usize]| -> Vec<usize> {
                keys.iter().copied().filter(|&key| key != left).collect()
            };
            assert_eq!(chosen(&mut order, Some(a), &mut clients), rest(&[0, 2, 4]));
            assert_eq!(chosen(&mut order, None, &mut clients), rest(&[1, 3]));
        }
    }

    #[test]
    fn a_ticket_whose_turn_it_is_is_not_issued_again_before_it_is_given_back() {
        let (mut order, mut clients, [a, ..], tickets) = five();
        assert_eq!(order.choose_unproved(None, &mut clients), Some(Candidate::new(0, 0)));
        assert!(order.is_chosen(tickets[0]) && !order.is_chosen(tickets[1]));
        let next = order.enter_lingering(Candidate::new(0, 5));
        assert!(!tickets.contains(&next));
        assert_eq!(order.leave(tickets[0], &mut clients), a);
        assert_eq!(order.enter_lingering(Candidate::new(0, 6)), tickets[0]);
    }

    #[test]
    fn what_a_storm_took_is_given_back() {
        let (mut order, mut clients, _, tickets) = five();
        assert_ne!(order.tickets.capacity(), 0);
        for ticket in tickets {
            order.leave(ticket, &mut clients);
        }
        assert_eq!(order.tickets.capacity(), 0);
    }

    #[test]
    fn a_ticket_takes_32_bytes() {
        let (mut order, ..) = five();
        order.tickets.shrink_to_fit();
        let [first, second] =
            [0, 1].map(|ticket| std::ptr::from_ref(&order.tickets[ticket]).addr());
        assert_eq!(second - first, 32);
    }
}
