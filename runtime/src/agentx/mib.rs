//! What a MIB looks like: tables whose columns are functions of a row. Cells without a value are passed over, so that
//! tables may be sparse.

use super::oid::Oid;
use super::pdu::Value;

/// A MIB, or a branch of one, over the state `C` of a process.
pub struct Mib<C: 'static> {
    /// How all its names begin.
    pub root: &'static [u32],
    /// Its tables and groups of scalars, in the order of their names.
    pub parts: &'static [Part<C>],
}

/// An object that was found: its name without what it has in common with others, and its value.
pub type Found = Option<(Vec<u32>, Value)>;

/// A table, or a group of scalars.
pub struct Part<C> {
    /// What its names have in common after the root.
    pub prefix: &'static [u32],
    /// Finds an object; names are those after the prefix.
    pub find: fn(&C, Ask<'_>) -> Found,
}

/// What is looked for, by names without what they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// This object.
    Exact(&'a [u32]),
    /// The first object after this name, or with it if it is inclusive.
    After(&'a [u32], Inclusive),
}

/// Whether the beginning of a range is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusive(pub bool);

impl Inclusive {
    fn admits<T: Ord + ?Sized>(self, candidate: &T, from: &T) -> bool {
        if self.0 { candidate >= from } else { candidate > from }
    }
}

/// A column of a table of rows `R`, or a scalar.
pub struct Column<R> {
    number: u32,
    value: fn(&R) -> Option<Value>,
}

/// A column by its number.
pub const fn column<R>(number: u32, value: fn(&R) -> Option<Value>) -> Column<R> {
    Column { number, value }
}

impl<C> Mib<C> {
    /// The value of an object.
    pub fn get(&self, state: &C, name: &[u32]) -> Option<Value> {
        let name = name.strip_prefix(self.root)?;
        self.parts.iter().find_map(|part| {
            let rest = name.strip_prefix(part.prefix)?;
            (part.find)(state, Ask::Exact(rest)).map(|(_, value)| value)
        })
    }

    /// The first object after `from`, or at it, and its value.
    pub fn next(&self, state: &C, from: &[u32], inclusive: Inclusive) -> Option<(Oid, Value)> {
        let (from, inclusive) = below(self.root, from, inclusive)?;
        self.parts.iter().find_map(|part| {
            let (from, inclusive) = below(part.prefix, from, inclusive)?;
            let (name, value) = (part.find)(state, Ask::After(from, inclusive))?;
            Some((Oid([self.root, part.prefix, &name].concat()), value))
        })
    }
}

/// A name as those see it that share `prefix`: what follows it, or the beginning of all. `None`: it is behind them.
fn below<'a>(
    prefix: &[u32],
    from: &'a [u32],
    inclusive: Inclusive,
) -> Option<(&'a [u32], Inclusive)> {
    match from.strip_prefix(prefix) {
        Some(rest) => Some((rest, inclusive)),
        None if from < prefix => Some((&[], Inclusive(true))),
        None => None,
    }
}

/// Finds an object of a table. Rows come in the order of their indexes, columns in that of their numbers.
pub fn table<R>(
    columns: &[Column<R>],
    rows: impl IntoIterator<Item = (Vec<u32>, R)>,
    ask: Ask<'_>,
) -> Found {
    match ask {
        Ask::Exact(name) => {
            let (number, index) = name.split_first()?;
            let column = columns.iter().find(|column| column.number == *number)?;
            let (_, row) = rows.into_iter().find(|(row, _)| row == index)?;
            Some((name.to_vec(), (column.value)(&row)?))
        }
        Ask::After(from, inclusive) => {
            let rows: Vec<(Vec<u32>, R)> = rows.into_iter().collect();
            let (first, index) =
                from.split_first().map_or((0, from), |(&first, rest)| (first, rest));
            columns.iter().filter(|column| column.number >= first).find_map(|column| {
                let is_first = column.number == first;
                let wanted = |row: &[u32]| !is_first || inclusive.admits(row, index);
                rows.iter().filter(|(row, _)| wanted(row)).find_map(|(row, cells)| {
                    let value = (column.value)(cells)?;
                    Some((Oid::join(&[column.number], row).0, value))
                })
            })
        }
    }
}

/// Finds one of some scalars, whose names end with 0.
pub fn scalars<R>(columns: &[Column<R>], state: R, ask: Ask<'_>) -> Found {
    table(columns, [(vec![0], state)], ask)
}
