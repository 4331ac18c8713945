//! Values made up in place of missing and wrong ones, so that the rest of a collection is examined.
//!
//! None of them is ever handed out: where something stands in, a mistake has been noted.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::deserializer::At;
use crate::failure::{Failure, Place, Slot, What};
use crate::words::{example, expected};

/// Texts that types of this field parse.
const TEXTS: [&str; 10] = [
    "x",
    "192.0.2.1",
    "192.0.2.1/24",
    "2001:db8::1",
    "1",
    "192.0.2.1:49",
    "x:x",
    "1s",
    "02:00:00:00:00:01",
    "192.0.2.0/24",
];

/// How many different stand-ins there are.
pub(crate) const VARIETY: usize = TEXTS.len();

/// How deep made-up values stand in each other; a type may hold itself.
const DEPTH_LIMIT: usize = 16;

/// A made-up value of whatever type is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StandIn {
    /// Which of the [`VARIETY`].
    which: usize,
    depth: usize,
}

impl StandIn {
    /// Reads a made-up value in a slot of a collection.
    pub(crate) fn read<'de, S: DeserializeSeed<'de>>(
        at: At<'_, '_>,
        slot: Slot,
        seed: S,
    ) -> Result<S::Value, Failure> {
        Self::fill(at, slot, |made_up| seed.deserialize(made_up))
    }

    /// The same for a reading that is no [`DeserializeSeed`].
    pub(crate) fn fill<T>(
        at: At<'_, '_>,
        slot: Slot,
        read: impl FnOnce(Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        at.run.work()?;
        if !at.run.makes_up() {
            return Err(Failure::at(at.node, What::Custom("a part is missing".to_owned())));
        }
        let which = at.run.need_stand_in(at.node, slot);
        read(Self { which, depth: 0 })
            .map_err(|failure| Failure { place: Some(Place::StandIn(at.node, slot)), ..failure })
    }

    fn deeper(self) -> Result<Self, Failure> {
        if self.depth >= DEPTH_LIMIT {
            return Err(Failure::custom("made-up values without end"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let wanted = (&visitor as &dyn Expected).to_string();
        let phrase = expected(&wanted);
        let wanted = phrase.as_deref().and_then(example).filter(|_| self.which == 0);
        visitor.visit_str(wanted.unwrap_or(TEXTS.get(self.which).copied().unwrap_or_default()))
    }
}

macro_rules! numbers {
    ($($deserialize:ident $visit:ident $type:ty;)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let number: $type = [1u8, 0, 2, 24, 64, 100][self.which % 6].into();
            visitor.$visit(number)
        })*
    };
}

impl<'de> Deserializer<'de> for StandIn {
    type Error = Failure;

    numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_i8(1)
    }

    /// Types that take several kinds of values take text, a list, a mapping or nothing.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.which {
            0 => visitor.visit_unit(),
            1 => visitor.visit_seq(Empty),
            2 => visitor.visit_map(Empty),
            3 => visitor.visit_u64(1),
            4 => visitor.visit_bool(false),
            _ => Self { which: self.which - 5, ..self }.text(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_bool(!self.which.is_multiple_of(2))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        // Some types want an item, and those that hold themselves must come to an end.
        let left = if self.depth <= 2 { self.which.min(4) } else { 0 };
        visitor.visit_seq(Repeated { left, value: self.deeper()? })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_seq(Repeated { left: length, value: self.deeper()? })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_map(Empty)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_map(Full { left: fields.iter(), value: self.deeper()? })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let variant = self.which.checked_rem(variants.len()).map_or("", |index| variants[index]);
        visitor.visit_enum(Variant { variant, value: self.deeper()? })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf identifier }
}

/// A list or mapping without parts.
struct Empty;

impl<'de> SeqAccess<'de> for Empty {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        _: S,
    ) -> Result<Option<S::Value>, Failure> {
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Empty {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        _: S,
    ) -> Result<Option<S::Value>, Failure> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<S::Value, Failure> {
        Err(Failure::custom("an empty mapping has no value"))
    }
}

/// A list of fixed length.
struct Repeated {
    left: usize,
    value: StandIn,
}

impl<'de> SeqAccess<'de> for Repeated {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.value).map(Some)
    }
}

/// A mapping with every key that its type knows.
struct Full {
    left: std::slice::Iter<'static, &'static str>,
    value: StandIn,
}

impl<'de> MapAccess<'de> for Full {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let Some(field) = self.left.next() else { return Ok(None) };
        let field: StrDeserializer<'_, Failure> = field.into_deserializer();
        seed.deserialize(field).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self.value)
    }
}

struct Variant {
    variant: &'static str,
    value: StandIn,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Failure;
    type Variant = StandIn;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, StandIn), Failure> {
        let variant: StrDeserializer<'_, Failure> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self.value))
    }
}

impl<'de> VariantAccess<'de> for StandIn {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_struct("", fields, visitor)
    }
}
