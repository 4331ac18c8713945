//! Where the host's services listen.

use crate::lab::server_state::Listening;
use crate::linux::host::Socket;
use labsim_scenario::model::Listen;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Where a service listens: at every address, at the host's own alone, at VIPs alone.
pub(super) fn listening(
    sockets: &[Socket],
    is_tcp: bool,
    port: u16,
    own: &BTreeSet<IpAddr>,
    vips: &[IpAddr],
) -> Listening {
    let of_port = || sockets.iter().filter(|it| it.is_tcp == is_tcp && it.port == port);
    let at = |address: IpAddr| of_port().any(|it| it.address.is_none_or(|one| one == address));
    let at_own = own.iter().any(|address| at(*address));
    let at_vip = vips.iter().any(|address| at(*address));
    match (at_own, at_vip) {
        (true, true) => Listening::At(Listen::Any),
        (true, false) if vips.is_empty() && of_port().any(|it| it.address.is_none()) => {
            Listening::At(Listen::Any)
        }
        (true, false) => Listening::At(Listen::Own),
        (false, true) => Listening::At(Listen::Vip),
        (false, false) => Listening::Nowhere,
    }
}
