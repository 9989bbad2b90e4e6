//! How many transfers each client has, by its address.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
};

use hashbrown::HashTable;
use slab::Slab;

use super::order::Queue;
use crate::slots::number;

/// All clients that have transfers. Each has a number as long as it has any.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    slots: Slab<Client>,
    /// Found by an address that only the client itself keeps: with thousands of them a second one
    /// would count.
    by_address: HashTable<u32>,
    hasher: RandomState,
}

#[derive(Debug)]
pub(crate) struct Client {
    address: IpAddr,
    pub(crate) tally: Tally,
    /// Its transfers that may give way to another of its own.
    pub(crate) unproved: Queue,
}

/// How many transfers there are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) active: u32,
    pub(crate) half_open: u32,
}

impl Clients {
    /// The number of a client that has transfers.
    pub(crate) fn find(&self, address: IpAddr) -> Option<u32> {
        let is_it = |&client: &u32| self.get(client).address == address;
        self.by_address.find(self.hasher.hash_one(address), is_it).copied()
    }

    /// The number of a client that is about to have one.
    pub(crate) fn find_or_insert(&mut self, address: IpAddr) -> u32 {
        if let Some(client) = self.find(address) {
            return client;
        }
        let new = Client { address, tally: Tally::default(), unproved: Queue::default() };
        let client = number(self.slots.insert(new));
        let hash = |&client: &u32| self.hasher.hash_one(self.slots[client as usize].address);
        self.by_address.insert_unique(hash(&client), client, hash);
        client
    }

    pub(crate) fn get(&self, client: u32) -> &Client {
        &self.slots[client as usize]
    }

    pub(crate) fn get_mut(&mut self, client: u32) -> &mut Client {
        &mut self.slots[client as usize]
    }

    /// This client has no transfer any more.
    pub(crate) fn forget(&mut self, client: u32) {
        let address = self.slots.remove(client as usize).address;
        let hash = self.hasher.hash_one(address);
        if let Ok(found) = self.by_address.find_entry(hash, |&found| found == client) {
            found.remove();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.by_address.is_empty()
    }
}
