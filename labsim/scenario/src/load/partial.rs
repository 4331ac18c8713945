//! What can be read of a file that has mistakes.

use labsim_yaml::{Mistakes, Source};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

thread_local! {
    /// The value that was read last; `labsim_yaml::read` hands out none that has mistakes.
    static LAST: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Leaves the value that is read in [`LAST`].
struct Left<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + 'static> Deserialize<'de> for Left<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = T::deserialize(deserializer)?;
        LAST.with(|last| last.replace(Some(Box::new(value))));
        Ok(Self(PhantomData))
    }
}

/// Reads a file. If it has mistakes, the value lacks what is wrong, and where something is missing
/// that cannot be left out, a made-up value stands in, whose [`Span`](labsim_yaml::Span) is the
/// default one.
pub(super) fn read_what_can_be_read<T: DeserializeOwned + 'static>(
    source: &Source,
) -> (Option<T>, Mistakes) {
    let mistakes = labsim_yaml::read::<Left<T>>(source).err().unwrap_or_default();
    let left = LAST.with(RefCell::take);
    (left.and_then(|left| left.downcast().ok()).map(|value| *value), mistakes)
}
