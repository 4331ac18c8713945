//! Externally tagged enums: `variant`, or `variant: what belongs to it`.

use serde::de::{DeserializeSeed, Deserializer as _, EnumAccess, VariantAccess, Visitor};

use super::{At, name};
use crate::failure::{Failure, Slot};
use crate::stand_in::StandIn;
use crate::tree::{Kind, NodeId};
use crate::words::{list, meant, quote};

/// A variant that the enum has, and the node of what belongs to it.
pub(super) struct Chosen<'r, 't> {
    at: At<'r, 't>,
    variant: &'t str,
    payload: Option<NodeId>,
}

impl<'r, 't> At<'r, 't> {
    /// Which of the enum's variants the node says.
    pub(super) fn choose(self, variants: &[&'static str]) -> Result<Chosen<'r, 't>, Failure> {
        let one_of = match variants {
            [one] => quote(one),
            many => format!("one of {}", list(many, "or")),
        };
        let known = |key: NodeId| variants.contains(&self.run.tree.text(key));
        match self.kind() {
            Kind::Scalar { text, .. } if !self.is_null() => {
                if !variants.contains(&text.as_str()) {
                    return Err(self.unknown(text, &one_of, variants));
                }
                Ok(Chosen { at: self, variant: text, payload: None })
            }
            Kind::Map(entries) => {
                let Some((key, value)) =
                    entries.iter().find(|(key, _)| known(*key)).or(entries.first())
                else {
                    return Err(self.wrong(&one_of, None));
                };
                let variant = self.run.tree.text(*key);
                for (other, _) in entries.iter().filter(|(other, _)| other != key) {
                    let message = format!(
                        "only {one_of} may stand here, and {} does; take this one out",
                        quote(variant)
                    );
                    self.run.drop_part(self.node, *other, message);
                }
                if !known(*key) {
                    return Err(self.to(*key).unknown(variant, &one_of, variants));
                }
                Ok(Chosen { at: self, variant, payload: Some(*value) })
            }
            _ => Err(self.wrong(&one_of, None)),
        }
    }

    fn unknown(self, given: &str, one_of: &str, variants: &[&'static str]) -> Failure {
        let slip = meant(given, variants.iter().copied())
            .map_or_else(String::new, |name| format!("; did you mean {}?", quote(name)));
        self.say(format!("expected {one_of}, found {}{slip}", quote(given)))
    }
}

impl<'de, 'r, 't> EnumAccess<'de> for Chosen<'r, 't> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Failure> {
        Ok((seed.deserialize(name(self.variant))?, self))
    }
}

impl<'r, 't> Chosen<'r, 't> {
    /// The node of what belongs to a variant that needs something.
    fn payload(&self, example: &str) -> Result<At<'r, 't>, Failure> {
        match self.payload {
            Some(payload) => Ok(self.at.to(payload)),
            None => {
                let variant = self.variant;
                let form = quote(&format!("{variant}: {example}"));
                let message = format!("{} needs a value; write {form}", quote(variant));
                Err(self.at.say(message))
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_, '_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.payload.map(|payload| self.at.to(payload)) {
            Some(payload) if payload.needs_no_stand_in() && !payload.is_empty() => {
                let variant = quote(self.variant);
                Err(payload.say(format!("{variant} takes no value; write {variant} alone")))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        let payload = self.payload("…")?;
        if payload.needs_no_stand_in() {
            payload.read(seed)
        } else {
            StandIn::read(self.at, Slot::Payload, seed)
        }
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let payload = self.payload("[…]")?;
        if payload.needs_no_stand_in() {
            payload.tuple(length, visitor)
        } else {
            StandIn::fill(self.at, Slot::Payload, |made_up| {
                made_up.deserialize_tuple(length, visitor)
            })
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let payload = self.payload("{…}")?;
        if payload.needs_no_stand_in() {
            payload.structure(fields, visitor)
        } else {
            StandIn::fill(self.at, Slot::Payload, |made_up| {
                made_up.deserialize_struct("", fields, visitor)
            })
        }
    }
}
