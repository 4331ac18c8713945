//! The trait of types that are read from YAML, and its implementations for std's types.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::context::Context;
use crate::fields::{Fields, Keys};
use crate::messages::from_to;
use crate::node::{Forms, Node};
use crate::scalar::{float, meant_boolean};
use crate::tree::Kind;
use crate::{Located, Span};

/// A type that is read from a value of a document, in one pass: every error is recorded, and what
/// can be read is returned, so that the caller can check the rest of the document.
///
/// Derived by `#[derive(FromYaml)]`, which this crate documents at its beginning.
pub trait FromYaml: Sized {
    /// The forms of value that it is read from; decides between the variants of an untagged enum.
    const FORMS: Forms;

    /// What belongs there, as a sentence's object: `a list, such as `[a, b]``.
    fn expected() -> String;

    /// Whether a scalar of this text, or a map with this key, may be one, for the variants of an
    /// untagged enum: a type that is read from some words only refuses others, so that the message
    /// names all variants.
    #[must_use]
    fn accepts(text: &str) -> bool {
        let _ = text;
        true
    }

    /// Reads a value. Nothing if nothing could be read of it; then an error is recorded.
    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self>;

    /// The value of a key that is left out; nothing if the key has to be written.
    #[must_use]
    fn when_missing() -> Option<Self> {
        None
    }

    /// A value in place of one that is wrong, or missing where it has to be written, for the checks
    /// that follow. Its parts have the default [`Span`], at which nothing is reported.
    #[must_use]
    fn placeholder() -> Option<Self> {
        None
    }
}

/// A structure that is read from the keys of a map; implemented by `#[derive(FromYaml)]`.
pub trait FromFields: Sized {
    /// Adds its keys.
    fn keys(keys: &mut Keys);

    /// Reads its keys. Nothing if one is wrong or missing that has no placeholder.
    fn from_fields(fields: &mut Fields<'_, '_>) -> Option<Self>;

    /// Reads it from a map: its own keys and no others.
    fn from_map(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let mut fields = Fields::open(node, &Keys::of::<Self>(), context)?;
        Self::from_fields(&mut fields)
    }

    /// What belongs there, as a sentence's object.
    fn expected_map() -> String {
        Keys::of::<Self>().expected()
    }
}

macro_rules! whole_numbers {
    ($($number:ty)*) => {$(
        impl FromYaml for $number {
            const FORMS: Forms = Forms::SCALAR;

            fn expected() -> String {
                format!("a whole number {}", from_to(Self::MIN as i128, Self::MAX as i128))
            }

            fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
                let number = context.whole_number(node, Self::MIN as i128, Self::MAX as i128)?;
                Self::try_from(number).ok()
            }
        }
    )*};
}
whole_numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64);

macro_rules! parsed {
    ($($parsed:ty = $expected:literal;)*) => {$(
        impl FromYaml for $parsed {
            const FORMS: Forms = Forms::SCALAR;

            fn expected() -> String {
                $expected.to_owned()
            }

            fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
                context.parse(node, $expected)
            }
        }
    )*};
}
parsed! {
    IpAddr = "an IP address, such as `192.0.2.1` or `2001:db8::1`";
    Ipv4Addr = "an IPv4 address, such as `192.0.2.1`";
    Ipv6Addr = "an IPv6 address, such as `2001:db8::1`";
    SocketAddr = "an address and a port, such as `192.0.2.1:49`";
    SocketAddrV4 = "an address and a port, such as `192.0.2.1:49`";
    SocketAddrV6 = "an address and a port, such as `[2001:db8::1]:49`";
    IpNet = "a network, such as `192.0.2.0/24` or `2001:db8::/32`";
    Ipv4Net = "an IPv4 network, such as `192.0.2.0/24`";
    Ipv6Net = "an IPv6 network, such as `2001:db8::/32`";
}

impl FromYaml for f64 {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "a number, such as `1.5`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let remedy = match node.kind() {
            Kind::Scalar { text, plain } => match float(text) {
                Some(number) if *plain => return Some(number),
                Some(_) => Some("take the quotes away"),
                None => None,
            },
            _ => None,
        };
        context.wrong(node, &Self::expected(), remedy);
        None
    }
}

impl FromYaml for bool {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "`true` or `false`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let remedy = match node.kind() {
            Kind::Scalar { text, plain } => match (text.as_str(), plain, meant_boolean(text)) {
                ("true", true, _) => return Some(true),
                ("false", true, _) => return Some(false),
                ("true" | "false", ..) => Some("take the quotes away"),
                (.., Some(true)) => Some("write `true`"),
                (.., Some(false)) => Some("write `false`"),
                _ => None,
            },
            _ => None,
        };
        context.wrong(node, &Self::expected(), remedy);
        None
    }
}

impl FromYaml for String {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "text, such as `abc`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        if node.is_null() {
            context.wrong(node, &Self::expected(), Some("quote it if you mean the word"));
            return None;
        }
        context.text(node, &Self::expected()).map(str::to_owned)
    }

    fn placeholder() -> Option<Self> {
        Some(Self::new())
    }
}

impl<T: FromYaml> FromYaml for Located<T> {
    const FORMS: Forms = T::FORMS;

    fn expected() -> String {
        T::expected()
    }

    fn accepts(text: &str) -> bool {
        T::accepts(text)
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        T::from_yaml(node, context).map(|value| Self::new(value, node.span()))
    }

    fn placeholder() -> Option<Self> {
        T::placeholder().map(|value| Self::new(value, Span::default()))
    }
}

impl<T: FromYaml> FromYaml for Option<T> {
    const FORMS: Forms = T::FORMS;

    fn expected() -> String {
        T::expected()
    }

    fn accepts(text: &str) -> bool {
        T::accepts(text)
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        if node.is_null() { Some(None) } else { T::from_yaml(node, context).map(Some) }
    }

    fn when_missing() -> Option<Self> {
        Some(None)
    }

    fn placeholder() -> Option<Self> {
        T::placeholder().map(Some)
    }
}

impl<T: FromYaml> FromYaml for Box<T> {
    const FORMS: Forms = T::FORMS;

    fn expected() -> String {
        T::expected()
    }

    fn accepts(text: &str) -> bool {
        T::accepts(text)
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        T::from_yaml(node, context).map(Self::new)
    }

    fn when_missing() -> Option<Self> {
        T::when_missing().map(Self::new)
    }

    fn placeholder() -> Option<Self> {
        T::placeholder().map(Self::new)
    }
}

impl<T: FromYaml> FromYaml for Vec<T> {
    const FORMS: Forms = Forms::LIST;

    fn expected() -> String {
        "a list, such as `[a, b]`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        context.list(node)
    }

    fn placeholder() -> Option<Self> {
        Some(Self::new())
    }
}

impl<K: FromYaml + Ord, V: FromYaml> FromYaml for BTreeMap<K, V> {
    const FORMS: Forms = Forms::MAP;

    fn expected() -> String {
        "a map, such as `{key: value}`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        context.entries(node).map(|entries| entries.into_iter().collect())
    }

    fn placeholder() -> Option<Self> {
        Some(Self::new())
    }
}
