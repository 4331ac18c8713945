//! Reading on past mistakes.
//!
//! A file is read strictly first, and `labsim_yaml` finds every mistake in its shape. If there is
//! any, the file is read once more, leniently: what is wrong is left out, and the rest is there to
//! be resolved, so that a misspelt key does not hide an address that is used twice.

use labsim_yaml::{Document, Mistakes};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    /// What a lenient reading has left out so far; `None` in a strict one.
    static LENIENT: RefCell<Option<Losses>> = const { RefCell::new(None) };
    /// The value of a lenient reading; `Document::read` hands out none that has mistakes.
    static VALUE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// What a lenient reading left out: what is declared there seems to be missing, and is not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Losses {
    /// Entries of tables.
    pub(crate) keys: BTreeSet<String>,
    /// Items of lists, or whole tables and lists.
    pub(crate) others: bool,
}

impl Losses {
    /// Whether nothing was left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.others
    }
}

/// A file as it was read.
pub(crate) struct Read<T> {
    /// The value; of a file with mistakes, what can be read.
    pub(crate) value: Option<T>,
    /// The mistakes in the file's shape.
    pub(crate) mistakes: Mistakes,
    /// What the value lacks.
    pub(crate) losses: Losses,
}

/// Reads a file.
pub(crate) fn read<T: DeserializeOwned + 'static>(document: &Document) -> Read<T> {
    let mistakes = match document.read::<T>() {
        Ok(value) => {
            let (value, mistakes, losses) = (Some(value), Mistakes::new(), Losses::default());
            return Read { value, mistakes, losses };
        }
        Err(mistakes) => mistakes,
    };
    LENIENT.set(Some(Losses::default()));
    // Its mistakes are among those that were found before.
    let _ = document.read::<Kept<T>>();
    let mut losses = LENIENT.take().unwrap_or_default();
    // What stands under a misspelt key is missing under the right one.
    losses.others |= mistakes
        .iter()
        .any(|one| one.message.starts_with("unknown key") && one.message.contains("did you mean"));
    let value = VALUE.take().and_then(|value| value.downcast().ok()).map(|value| *value);
    Read { value, mistakes, losses }
}

/// Leaves the value that is read first in [`VALUE`].
struct Kept<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de> + 'static> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = T::deserialize(deserializer)?;
        VALUE.with(|kept| {
            kept.borrow_mut().get_or_insert_with(|| Box::new(value));
        });
        Ok(Self(std::marker::PhantomData))
    }
}

/// Whether mistakes are left out instead of reported.
pub(super) fn is_lenient() -> bool {
    LENIENT.with_borrow(Option::is_some)
}

/// In a lenient reading: the entry with this key, or an item of a list (`None`), is left out. In a
/// strict one: the error.
pub(super) fn leave_out<E>(key: Option<&str>, error: E) -> Result<(), E> {
    LENIENT.with_borrow_mut(|lenient| {
        let Some(losses) = lenient else { return Err(error) };
        match key {
            Some(key) => {
                losses.keys.insert(key.to_owned());
            }
            None => losses.others = true,
        }
        Ok(())
    })
}

/// Reads a field that has a default, which takes a wrong value's place in a lenient reading. For
/// serde's `deserialize_with`.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    T::deserialize(deserializer)
        .or_else(|error| if is_lenient() { Ok(T::default()) } else { Err(error) })
}

/// The same for a field that declares things: they are lost then.
pub(super) fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    T::deserialize(deserializer).or_else(|error| leave_out(None, error).map(|()| T::default()))
}
