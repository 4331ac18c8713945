//! The same exercise with other servers and other addresses, as a seed chooses them.
//!
//! The texts of all files that an exercise is read from are changed in the same way: real servers of one
//! network trade names and addresses, and the third byte of private IPv4 addresses is another one. Nothing
//! else changes, so what held of the lab holds of the other one: its causes, repairs and hints.

use labsim_model::Random;
use labsim_scenario::model::{Node, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Networks of private addresses (RFC 1918) whose third byte may be any: within them a route to a shorter
/// prefix stays one to the same hosts.
type Network = [u8; 3];

/// What is called otherwise.
#[derive(Debug, Default)]
pub struct Variation {
    nodes: BTreeMap<String, String>,
    hosts: BTreeMap<Ipv4Addr, Ipv4Addr>,
    networks: BTreeMap<Network, Network>,
}

/// Which of so many exercises a seed chooses.
#[must_use]
pub fn choose(seed: &str, exercises: usize) -> usize {
    random(seed, 0).below(exercises)
}

/// The numbers of a seed, which is a text such as a student's name: FNV-1a of its bytes.
fn random(seed: &str, purpose: u64) -> Random {
    let hash = seed.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    Random::new(hash, purpose)
}

impl Variation {
    /// That of a seed, for an exercise whose lab is `scenario` and which is read from `texts`. An empty seed
    /// changes nothing.
    #[must_use]
    pub fn of<'a>(
        seed: &str,
        scenario: &Scenario,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut variation = Self::default();
        if seed.is_empty() {
            return variation;
        }
        variation.trade_servers(scenario, random(seed, 1));
        variation.move_networks(texts, random(seed, 2));
        variation
    }

    /// Servers whose addresses are in the same networks trade names and addresses.
    fn trade_servers(&mut self, scenario: &Scenario, mut random: Random) {
        let servers = scenario.real_servers.keys().filter_map(|name| scenario.topology.node(name));
        let mut alike: BTreeMap<_, Vec<&Node>> = BTreeMap::new();
        for server in servers {
            let networks = server.interfaces.iter().flat_map(|it| &it.addresses);
            let networks: Vec<_> = networks.map(|net| net.trunc()).collect();
            alike.entry(networks).or_default().push(server);
        }
        for servers in alike.into_values() {
            let mut traded = servers.clone();
            random.shuffle(&mut traded);
            for (from, to) in servers.into_iter().zip(traded) {
                self.nodes.insert(from.name.to_string(), to.name.to_string());
                self.hosts.extend(addresses(from).zip(addresses(to)));
            }
        }
    }

    /// Networks get other third bytes, those of the same two first bytes different ones.
    fn move_networks<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>, mut random: Random) {
        let (mut used, mut fixed) = (BTreeSet::new(), BTreeSet::new());
        for text in texts {
            for (word, rest) in words(text) {
                for address in word.split('-').filter_map(|part| part.parse::<Ipv4Addr>().ok()) {
                    let [first, second, third, host] = address.octets();
                    // 10.1.0.0 is the network of a prefix that holds others.
                    if !address.is_private() || (third, host) == (0, 0) {
                        continue;
                    }
                    used.insert([first, second, third]);
                    // A prefix that ends within the third byte holds some of these networks only.
                    if matches!(prefix_length(rest), Some(17..=23)) {
                        fixed.insert([first, second]);
                    }
                }
            }
        }
        let mut taken = BTreeSet::new();
        for network in
            used.into_iter().filter(|[first, second, _]| !fixed.contains(&[*first, *second]))
        {
            let [first, second, _] = network;
            let moved = loop {
                // 1 to 254.
                let third = u8::try_from(random.below(254) + 1).unwrap_or(1);
                if taken.insert([first, second, third]) {
                    break [first, second, third];
                }
            };
            self.networks.insert(network, moved);
        }
    }

    /// A file's text with it.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut applied = String::with_capacity(text.len());
        let mut done = 0;
        for (word, rest) in words(text) {
            let start = text.len() - rest.len() - word.len();
            applied.push_str(&text[done..start]);
            match self.nodes.get(word) {
                Some(name) => applied.push_str(name),
                None => {
                    let parts = word.split('-').map(|part| match part.parse() {
                        Ok(address) => self.address(address).to_string(),
                        Err(_) => part.to_owned(),
                    });
                    applied.push_str(&parts.collect::<Vec<_>>().join("-"));
                }
            }
            done = start + word.len();
        }
        applied.push_str(&text[done..]);
        applied
    }

    fn address(&self, address: Ipv4Addr) -> Ipv4Addr {
        let address = *self.hosts.get(&address).unwrap_or(&address);
        let [first, second, third, host] = address.octets();
        match self.networks.get(&[first, second, third]) {
            _ if (third, host) == (0, 0) => address,
            Some([first, second, third]) => Ipv4Addr::new(*first, *second, *third, host),
            None => address,
        }
    }
}

fn addresses(node: &Node) -> impl Iterator<Item = Ipv4Addr> {
    node.interfaces.iter().flat_map(|it| &it.addresses).filter_map(|net| match net.addr() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
}

/// Names and addresses of a text, each with what comes after it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = &rest[rest.find(is_part)?..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        // A sentence's end.
        let word = rest[..end].trim_end_matches(['.', '-']);
        let word = if word.is_empty() { &rest[..end] } else { word };
        rest = &rest[word.len()..];
        Some((word, rest))
    })
}

/// The length of a prefix whose address was read.
fn prefix_length(rest: &str) -> Option<u8> {
    let digits = rest.strip_prefix('/')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPOLOGY: &str = "{nodes: {client: {interfaces: {eth0: 192.0.2.9/24}}}}";

    fn variation() -> Variation {
        let names = |it: [(&str, &str); 2]| it.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let mut variation =
            Variation { nodes: names([("rs1", "rs2"), ("rs2", "rs1")]), ..Variation::default() };
        let host = |byte| Ipv4Addr::new(10, 1, 1, byte);
        variation.hosts = [(host(51), host(52)), (host(52), host(51))].into();
        variation.networks = [([10, 1, 1], [10, 1, 77])].into();
        variation
    }

    #[test]
    fn whole_names_and_addresses_are_replaced_and_nothing_else() {
        let text = "rs1, rs2:eth0 and rs1's; rs10, xrs1, p_rs1 and rs1.yaml stay. Ask rs1.\n\
                    10.1.1.51:49 10.1.1.52/24 10.1.1.0/24 10.1.1.51-10.1.1.52, 10.1.1.1. 110.1.1.5 1.10.1.1.5";
        let expected = "rs2, rs1:eth0 and rs2's; rs10, xrs1, p_rs1 and rs1.yaml stay. Ask rs2.\n\
                        10.1.77.52:49 10.1.77.51/24 10.1.77.0/24 10.1.77.52-10.1.77.51, 10.1.77.1. 110.1.1.5 1.10.1.1.5";
        assert_eq!(variation().apply(text), expected);
        for odd in ["", "...", "-", "é rs1 é", "a..b --- 1.2.3.4"] {
            assert_eq!(variation().apply(odd), odd.replace("rs1", "rs2"));
        }
    }

    #[test]
    fn networks_stay_apart_and_within_longer_routes() {
        let text =
            "10.1.1.5/24 10.1.2.5/24 10.2.1.1 172.16.4.99/16 192.168.16.1/20 192.0.2.1 10.0.0.0/8";
        for seed in ["ada", "bob", "7", "a class of thirty"] {
            let mut variation = Variation::default();
            variation.move_networks([text, TOPOLOGY], random(seed, 2));
            let moved = variation.networks.clone();
            let images: BTreeSet<_> = moved.values().collect();
            assert_eq!(images.len(), moved.len(), "two networks became one");
            assert!(moved.iter().all(|(from, to)| from[..2] == to[..2]));
            assert!(!moved.contains_key(&[192, 168, 16]), "a prefix ends within the byte");
            assert!(!moved.contains_key(&[192, 0, 2]), "not private");
            assert!(variation.apply(text).ends_with(" 10.0.0.0/8"));
        }
    }

    #[test]
    fn a_seed_is_the_same_in_every_version_and_others_differ() {
        let chosen = |seed| choose(seed, 21);
        let all: Vec<usize> = ["ada", "bob", "cy", "dora", ""].map(chosen).to_vec();
        assert_eq!(all, [18, 11, 11, 4, 3]);
    }
}
