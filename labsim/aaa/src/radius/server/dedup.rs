//! The cache of replies for retransmitted requests (RFC 5080, section 2.2.2).

use crate::radius::packet::Authenticator;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What a request and its repetition have in common, the authenticator aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) peer: SocketAddr,
    /// The address that the request came to: RFC 5080 has a cache for each receiving socket.
    pub(super) local: SocketAddr,
    pub(super) identifier: u8,
}

#[derive(Debug, Clone)]
struct CachedReply {
    authenticator: Authenticator,
    reply: Vec<u8>,
    until: Duration,
    /// Its place in the order of arrival.
    serial: u64,
}

/// Cached replies; their number is bounded.
#[derive(Debug, Default)]
pub(super) struct ReplyCache {
    replies: BTreeMap<Key, CachedReply>,
    /// Keys by order of arrival, which is the order in which they run out too.
    order: BTreeMap<u64, Key>,
    serial: u64,
}

impl ReplyCache {
    /// The reply to the same request, if it came before and its time has not run out. A request
    /// that has the key in common, but not the authenticator, is a new one.
    pub(super) fn find(
        &mut self,
        key: &Key,
        authenticator: Authenticator,
        now: Duration,
    ) -> Option<&[u8]> {
        self.remove_expired(now);
        let cached = self.replies.get(key)?;
        (cached.authenticator == authenticator).then_some(cached.reply.as_slice())
    }

    /// Caches a reply `until` a time. It replaces an older reply with that key, and the oldest of
    /// all if there are `most` already.
    pub(super) fn insert(
        &mut self,
        key: Key,
        authenticator: Authenticator,
        reply: Vec<u8>,
        until: Duration,
        most: usize,
    ) {
        self.remove(&key);
        while self.replies.len() >= most {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.replies.remove(&oldest);
        }
        if most > 0 {
            let serial = self.serial;
            self.serial = serial.wrapping_add(1);
            self.order.insert(serial, key);
            self.replies.insert(key, CachedReply { authenticator, reply, until, serial });
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(cached) = self.replies.remove(key) {
            self.order.remove(&cached.serial);
        }
    }

    fn remove_expired(&mut self, now: Duration) {
        while let Some((_, oldest)) = self.order.first_key_value() {
            let oldest = *oldest;
            if self.replies.get(&oldest).is_some_and(|cached| now < cached.until) {
                break;
            }
            self.order.pop_first();
            self.replies.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: Authenticator = Authenticator([1; 16]);
    const OTHER: Authenticator = Authenticator([2; 16]);

    fn key(identifier: u8) -> Key {
        let peer = "192.168.11.201:1024".parse().unwrap();
        Key { peer, local: "172.16.4.99:1812".parse().unwrap(), identifier }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_reply_is_kept_until_its_time_runs_out() {
        let mut replies = ReplyCache::default();
        replies.insert(key(1), NUMBER, vec![7], at(30), 10);
        assert_eq!(replies.find(&key(1), NUMBER, at(29)), Some([7].as_slice()));
        assert_eq!(replies.find(&key(1), NUMBER, at(30)), None);
        assert!(replies.replies.is_empty() && replies.order.is_empty());
    }

    #[test]
    fn every_part_of_the_key_and_the_authenticator_tell_requests_apart() {
        let mut replies = ReplyCache::default();
        replies.insert(key(1), NUMBER, vec![7], at(30), 10);
        let address: SocketAddr = "192.168.11.201:1025".parse().unwrap();
        assert_eq!(replies.find(&key(2), NUMBER, at(0)), None);
        assert_eq!(replies.find(&key(1), OTHER, at(0)), None);
        assert_eq!(replies.find(&Key { peer: address, ..key(1) }, NUMBER, at(0)), None);
        assert_eq!(replies.find(&Key { local: address, ..key(1) }, NUMBER, at(0)), None);
        assert!(replies.find(&key(1), NUMBER, at(0)).is_some());
    }

    #[test]
    fn a_new_request_takes_the_place_of_the_old_one() {
        let mut replies = ReplyCache::default();
        replies.insert(key(1), NUMBER, vec![7], at(30), 10);
        replies.insert(key(1), OTHER, vec![8], at(31), 10);
        assert_eq!(replies.find(&key(1), NUMBER, at(1)), None);
        assert_eq!(replies.find(&key(1), OTHER, at(1)), Some([8].as_slice()));
        assert_eq!((replies.replies.len(), replies.order.len()), (1, 1));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut replies = ReplyCache::default();
        for identifier in 0..100 {
            replies.insert(key(identifier), NUMBER, vec![identifier], at(30), 3);
            assert!(replies.replies.len() <= 3 && replies.order.len() == replies.replies.len());
        }
        assert_eq!(replies.find(&key(96), NUMBER, at(0)), None);
        assert_eq!(replies.find(&key(97), NUMBER, at(0)), Some([97].as_slice()));
        replies.insert(key(1), NUMBER, vec![1], at(30), 0);
        assert_eq!(replies.find(&key(1), NUMBER, at(0)), None);
    }
}
