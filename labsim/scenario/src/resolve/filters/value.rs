//! The values of a rule's matches: numbers and their names, addresses, ranges and prefixes.

use crate::model::InterfaceName;
use crate::model::filter::{Family, Field, Kind};
use crate::text::quoted;
use ipnet::IpNet;
use labsim_yaml::meant;
use std::net::IpAddr;

/// A value as bits: the first and the last that are meant.
pub(super) type Range = (u128, u128);

/// An interface's name.
pub(super) fn interface(text: &str) -> Result<InterfaceName, String> {
    if text.ends_with('*') {
        return Err(format!(
            "{} stands for many interfaces, which labsim does not read; name them in a set such as \
             `{{ eth0, tunl0 }}`",
            quoted(text)
        ));
    }
    InterfaceName::new(text)
}

/// A value, a range (`1-9`) or a prefix (`10.1.1.0/24`).
pub(super) fn range(field: &Field, text: &str) -> Result<Range, String> {
    match field.kind {
        Kind::Interface => Err(format!("`{}` has names, and not numbers", field.words)),
        Kind::Ipv4 => addresses(text, Family::Ipv4),
        Kind::Ipv6 => addresses(text, Family::Ipv6),
        Kind::Number(_) | Kind::Flags(_) => {
            let alone = number(field, text).map(|number| (number, number));
            // `ipv6-icmp` is a name and no range.
            let is_number = text.starts_with(|it: char| it.is_ascii_digit());
            let Some((first, last)) = text.split_once('-').filter(|_| is_number) else {
                return alone;
            };
            ordered(number(field, first)?, number(field, last)?, text)
        }
    }
}

/// A number, or a name of one.
pub(super) fn number(field: &Field, text: &str) -> Result<u128, String> {
    let names = match field.kind {
        Kind::Number(names) | Kind::Flags(names) => names,
        Kind::Interface | Kind::Ipv4 | Kind::Ipv6 => &[],
    };
    if let Some((_, number)) = names.iter().find(|(name, _)| *name == text) {
        return Ok(*number);
    }
    let words = field.words;
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')),
        None => text.parse().ok().filter(|_| !text.starts_with('+')),
    };
    let Some(number) = parsed else {
        return Err(unknown(words, names, text));
    };
    let most = (1_u128 << field.at.bits().min(127)) - 1;
    if number > most {
        return Err(format!("{} is too great for `{words}`; write 0 to {most}", quoted(text)));
    }
    Ok(number)
}

fn unknown(words: &str, names: &[(&str, u128)], text: &str) -> String {
    let shown = quoted(text);
    let known = || names.iter().map(|(name, _)| *name);
    // What others call it.
    let other = match text {
        "ipip" | "ipv4" | "ip4" => Some("ipencap"),
        text => meant(text, known()),
    };
    match other.filter(|name| known().any(|it| it == *name)) {
        Some(name) => format!("{shown} is not a value of `{words}`; did you mean `{name}`?"),
        None if names.is_empty() => {
            format!("{shown} is not a value of `{words}`; write a number")
        }
        None => {
            let listed: Vec<String> = known().map(|name| format!("`{name}`")).collect();
            format!(
                "{shown} is not a value of `{words}`; write a number, or one of {}",
                listed.join(", ")
            )
        }
    }
}

fn addresses(text: &str, family: Family) -> Result<Range, String> {
    let example = match family {
        Family::Ipv4 => "10.1.1.51, 10.1.1.0/24 or 10.1.1.51-10.1.1.53",
        Family::Ipv6 => "2001:db8::51, 2001:db8::/64 or 2001:db8::1-2001:db8::9",
    };
    let wrong = || {
        let name = match family {
            Family::Ipv4 => "an IPv4 address",
            Family::Ipv6 => "an IPv6 address",
        };
        format!("{} is not {name}; write such as {example}", quoted(text))
    };
    if let Some((first, last)) = text.split_once('-') {
        let (first, last) = (bits(first, family), bits(last, family));
        let (first, last) = first.zip(last).ok_or_else(wrong)?;
        return ordered(first, last, text);
    }
    let Some((address, length)) = text.split_once('/') else {
        let bits = bits(text, family).ok_or_else(wrong)?;
        return Ok((bits, bits));
    };
    bits(address, family).ok_or_else(wrong)?;
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    let length = length.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let net = IpNet::new(address, length).map_err(|_| wrong())?;
    if net.addr() != net.network() {
        return Err(format!("{} has bits behind its prefix; write {}", quoted(text), net.trunc()));
    }
    let ends = bits_of(net.network(), family).zip(bits_of(net.broadcast(), family));
    ends.ok_or_else(wrong)
}

fn bits(text: &str, family: Family) -> Option<u128> {
    bits_of(text.parse().ok()?, family)
}

fn bits_of(address: IpAddr, family: Family) -> Option<u128> {
    match (address, family) {
        (IpAddr::V4(address), Family::Ipv4) => Some(address.to_bits().into()),
        (IpAddr::V6(address), Family::Ipv6) => Some(address.to_bits()),
        _ => None,
    }
}

fn ordered(first: u128, last: u128, text: &str) -> Result<Range, String> {
    if first > last {
        return Err(format!("{} ends before it begins; swap the two", quoted(text)));
    }
    Ok((first, last))
}
