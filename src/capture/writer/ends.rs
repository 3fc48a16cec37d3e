//! Addresses for streams that have none, or whose addresses another living stream has.
//!
//! Two streams at one time never share a pair of ends in a file, and both ends of a stream are of
//! one IP version; what had to be changed is told in the stream's mark.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::event::{ConnId, Leg};

type Pair = (SocketAddr, SocketAddr);

/// Who uses which pair of ends.
#[derive(Debug, Default)]
pub(super) struct Ends {
    taken: HashMap<Pair, (ConnId, Leg)>,
    invented: u32,
}

impl Ends {
    /// Begins with other inventions than the writer that wrote the first `len` bytes.
    pub(super) fn later(len: u64) -> Self {
        let half = 0x0080_0000;
        let number = u32::try_from(len / 4 % u64::from(half)).unwrap_or(0);
        Self {
            invented: half | number,
            ..Self::default()
        }
    }

    /// Finds ends for a stream, the real ones where they can be had.
    pub(super) fn claim(
        &mut self,
        client: SocketAddr,
        server: SocketAddr,
        owner: (ConnId, Leg),
    ) -> Pair {
        let (mut client, server) = one_version(plain(client), plain(server));
        let is_unknown = client.ip().is_unspecified() || client.port() == 0;
        if is_unknown || self.taken.contains_key(&sorted((client, server))) {
            client = self.invent(client, server);
        }
        self.taken.insert(sorted((client, server)), owner);
        (client, server)
    }

    /// Gives ends back, if `owner` still has them.
    pub(super) fn release(&mut self, ends: Pair, owner: (ConnId, Leg)) {
        let pair = sorted(ends);
        if self.taken.get(&pair) == Some(&owner) {
            self.taken.remove(&pair);
        }
    }

    /// Makes up a client from a range that no network uses: `240.0.0.0/4` (RFC 1112 §4) or `100::/64`
    /// (RFC 6666).
    fn invent(&mut self, client: SocketAddr, server: SocketAddr) -> SocketAddr {
        loop {
            self.invented = self.invented.wrapping_add(1);
            let number = self.invented;
            let ip = if server.is_ipv4() {
                IpAddr::V4(Ipv4Addr::from_bits(0xF000_0000 | (number & 0x00FF_FFFF)))
            } else {
                IpAddr::V6(Ipv6Addr::from_bits((0x0100 << 112) | u128::from(number)))
            };
            let invented = SocketAddr::new(ip, client.port().max(1));
            if !self.taken.contains_key(&sorted((invented, server))) {
                return invented;
            }
        }
    }
}

/// Takes away what a packet cannot carry (scope and flow of an IPv6 address).
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

fn one_version(client: SocketAddr, server: SocketAddr) -> Pair {
    if client.is_ipv4() == server.is_ipv4() {
        return (client, server);
    }
    // An end without an address follows the other one.
    if client.ip().is_unspecified() {
        let nowhere = match server.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        return (SocketAddr::new(nowhere, client.port()), server);
    }
    (mapped(client), mapped(server))
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), address.port()),
        IpAddr::V6(_) => address,
    }
}

fn sorted((one, other): Pair) -> Pair {
    if one <= other {
        (one, other)
    } else {
        (other, one)
    }
}
