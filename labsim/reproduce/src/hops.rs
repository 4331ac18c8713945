//! How many routers are where: a tree whose middle is a router or a segment, and a chain of routers to each host.

/// Chains of routers longer than this are not built.
const MAX_CHAIN: u8 = 16;

/// Routers between the middle and each host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hops {
    pub(crate) client: u8,
    pub(crate) balancer: u8,
    pub(crate) server: u8,
    /// Whether the middle is a router; else it is a segment.
    pub(crate) has_router: bool,
}

impl Hops {
    /// The tree with these routers between client and load balancer, load balancer and server, server and client.
    /// Where there is none, or the last number is not known, the ways of answers share all they can with those of
    /// requests.
    pub(crate) fn new(first: u8, second: u8, third: Option<u8>) -> Self {
        let (first, second) = (first.min(MAX_CHAIN), second.min(MAX_CHAIN));
        let shortest = if first > 0 && second > 0 { first + second - 1 } else { first + second };
        let tree = third.filter(|it| *it <= MAX_CHAIN).and_then(|it| Self::tree(first, second, it));
        let simplest = || Self::tree(first, second, shortest);
        let none = Self { client: 0, balancer: 0, server: 0, has_router: true };
        tree.or_else(simplest).unwrap_or(none)
    }

    fn tree(first: u8, second: u8, third: u8) -> Option<Self> {
        let sum = first + second + third;
        let has_router = sum % 2 == 1;
        // A router in the middle is on all three ways.
        let less = u8::from(has_router);
        let (first, second, third) =
            (first.checked_sub(less)?, second.checked_sub(less)?, third.checked_sub(less)?);
        Some(Self {
            client: (first + third).checked_sub(second)? / 2,
            balancer: (first + second).checked_sub(third)? / 2,
            server: (second + third).checked_sub(first)? / 2,
            has_router,
        })
    }

    pub(crate) fn between_client_and_balancer(self) -> u8 {
        self.client + self.balancer + u8::from(self.has_router)
    }

    pub(crate) fn between_balancer_and_server(self) -> u8 {
        self.balancer + self.server + u8::from(self.has_router)
    }

    pub(crate) fn between_server_and_client(self) -> u8 {
        self.server + self.client + u8::from(self.has_router)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_routers_that_were_counted() {
        for (first, second, third) in
            [(1, 1, 1), (1, 0, 1), (0, 0, 0), (2, 1, 2), (1, 1, 2), (2, 2, 1), (0, 1, 1), (3, 4, 4)]
        {
            let hops = Hops::new(first, second, Some(third));
            let counted = (
                hops.between_client_and_balancer(),
                hops.between_balancer_and_server(),
                hops.between_server_and_client(),
            );
            assert_eq!(counted, (first, second, third), "{hops:?}");
        }
    }

    #[test]
    fn without_a_number_for_answers_requests_keep_theirs() {
        for (first, second) in [(1, 1), (1, 0), (0, 1), (0, 0), (3, 2)] {
            let hops = Hops::new(first, second, None);
            let counted = (hops.between_client_and_balancer(), hops.between_balancer_and_server());
            assert_eq!(counted, (first, second), "{hops:?}");
        }
        // No tree has this.
        let hops = Hops::new(1, 1, Some(9));
        assert_eq!(hops.between_balancer_and_server(), 1);
    }
}
