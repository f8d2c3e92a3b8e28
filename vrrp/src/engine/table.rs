//! A list whose positions are numbers of the configuration.

use std::marker::PhantomData;

use crate::config::track::{FileId, ProcessId, ScriptId, SessionId};
use crate::config::{GroupId, InstanceId};

/// A number that is a position in a list of the configuration.
pub(super) trait Key: Copy {
    /// The number for `position`.
    fn at(position: u32) -> Self;
    /// The position.
    fn position(self) -> u32;
}

macro_rules! key {
    ($($name:ty),*) => {$(
        impl Key for $name {
            fn at(position: u32) -> Self {
                Self(position)
            }

            fn position(self) -> u32 {
                self.0
            }
        }
    )*};
}

key!(InstanceId, GroupId, ScriptId, FileId, ProcessId, SessionId);

/// A list whose positions are keys.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    values: Vec<V>,
    keys: PhantomData<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { values: Vec::new(), keys: PhantomData }
    }
}

impl<K: Key, V> Table<K, V> {
    pub(super) fn get(&self, key: K) -> Option<&V> {
        self.values.get(usize::try_from(key.position()).ok()?)
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.values.get_mut(usize::try_from(key.position()).ok()?)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = K> + use<K, V> {
        let count = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        (0..count).map(K::at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &V> {
        self.values.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut()
    }
}

impl<K, V> FromIterator<V> for Table<K, V> {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        Self { values: values.into_iter().collect(), keys: PhantomData }
    }
}

impl<K, V> IntoIterator for Table<K, V> {
    type Item = V;
    type IntoIter = std::vec::IntoIter<V>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.into_iter()
    }
}
