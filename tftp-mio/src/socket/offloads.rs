//! What the system takes off our hands: it cuts a long send into packets, puts packets together that
//! came from one sender, and tells to which of our addresses they came.

use std::{io, sync::OnceLock};

use mio::net::UdpSocket;
use quinn_udp::{UdpSockRef, UdpSocketState};

/// What the system is known to do.
pub(super) struct Offloads {
    pub(super) state: UdpSocketState,
    /// Packets that one send may carry. The state remembers a refusal too, but for all peers.
    pub(super) most_segments: usize,
}

/// The first socket finds out for all: sockets are many, and the system is one.
static KNOWN: OnceLock<Offloads> = OnceLock::new();

impl Offloads {
    /// Has the system do it for a socket that receives much. One that does not needs none of this; what
    /// one such socket has found out serves it too.
    pub(super) fn set_up(socket: &UdpSocket, ipv6: bool) -> io::Result<()> {
        let state = UdpSocketState::new(UdpSockRef::from(socket))?;
        // It has just been forbidden.
        let_fragment(socket, ipv6)?;
        #[cfg(target_os = "linux")]
        {
            use nix::sys::socket::{setsockopt, sockopt};
            // Nobody looks at them, and every packet of the machine would be given one.
            setsockopt(socket, sockopt::ReceiveTimestampns, &false)?;
        }
        KNOWN.get_or_init(|| Self { most_segments: state.max_gso_segments(), state });
        Ok(())
    }

    /// For any socket that was set up.
    pub(super) fn known() -> io::Result<&'static Self> {
        KNOWN.get().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

/// Has the system fragment what is longer than the path's MTU: blocks may be.
pub(super) fn let_fragment(socket: &UdpSocket, ipv6: bool) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{setsockopt, sockopt};
        use rustix::net::sockopt::{
            Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
        };
        // On a dual-stack socket the first is for its IPv4 peers.
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DONT)?;
        if ipv6 {
            set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DONT)?;
            setsockopt(socket, sockopt::Ipv6DontFrag, &false)?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, ipv6);
    Ok(())
}
