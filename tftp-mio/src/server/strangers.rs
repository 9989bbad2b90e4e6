//! Who sends to the port of a transfer without being its peer.

use std::{net::SocketAddr, sync::Arc};

use super::{own_addresses::OwnAddresses, policy::Subscription};

/// Tells strangers apart; one worker's.
pub(crate) struct Strangers {
    own: Arc<OwnAddresses>,
    policy: Subscription,
}

/// What a stranger is to us.
pub(crate) enum Stranger {
    /// One of our own addresses, which we would answer for ever.
    Ourselves,
    /// One who may not ask, and so is not told that there is a server.
    Denied,
    /// Anybody else.
    Other,
}

impl Strangers {
    pub(crate) fn new(own: Arc<OwnAddresses>, policy: Subscription) -> Self {
        Self { own, policy }
    }

    pub(crate) fn who_is(&mut self, from: SocketAddr) -> Stranger {
        self.policy.refresh();
        if self.own.contains(from) {
            Stranger::Ourselves
        } else if self.policy.policy().access.admits(from.ip()) {
            Stranger::Other
        } else {
            Stranger::Denied
        }
    }
}
