//! The latest session of each peer, found by an address that only the session itself keeps: of many
//! transfers, a second one would be a tenth of the memory.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::SocketAddr,
};

use hashbrown::HashTable;
use slab::Slab;

use crate::{server::session::Session, slots::number};

/// Keys of sessions. Every one that it holds is in the slots that it is used with.
#[derive(Default)]
pub(super) struct ByPeer {
    keys: HashTable<u32>,
    hasher: RandomState,
}

impl ByPeer {
    pub(super) fn get(&self, slots: &Slab<Session>, peer: SocketAddr) -> Option<usize> {
        let is_of_peer = |key: &u32| peer_of(slots, *key) == Some(peer);
        self.keys.find(self.hasher.hash_one(peer), is_of_peer).map(|key| *key as usize)
    }

    /// From now on this session is the latest of its peer.
    pub(super) fn insert(&mut self, slots: &Slab<Session>, key: usize) {
        let key = number(key);
        let Some(peer) = peer_of(slots, key) else { return };
        let hash = |peer| self.hasher.hash_one(peer);
        let is_of_peer = |key: &u32| peer_of(slots, *key) == Some(peer);
        let rehash = |key: &u32| hash(peer_of(slots, *key).unwrap_or(peer));
        self.keys.entry(hash(peer), is_of_peer, rehash).insert(key);
    }

    /// This session is about to go.
    pub(super) fn forget(&mut self, slots: &Slab<Session>, key: usize) {
        let Some(peer) = slots.get(key).map(|session| session.transfer.peer()) else { return };
        let hash = self.hasher.hash_one(peer);
        if let Ok(found) = self.keys.find_entry(hash, |&found| found as usize == key) {
            found.remove();
        }
    }
}

fn peer_of(slots: &Slab<Session>, key: u32) -> Option<SocketAddr> {
    slots.get(key as usize).map(|session| session.transfer.peer())
}
