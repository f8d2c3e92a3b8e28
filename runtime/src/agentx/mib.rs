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
///
/// A manager asks for one object after the other, so rows had better be cheap to make: they are made for each question, up
/// to the one that is the answer.
pub fn table<I: AsRef<[u32]>, R>(
    columns: &[Column<R>],
    rows: impl IntoIterator<Item = (I, R)>,
    ask: Ask<'_>,
) -> Found {
    match ask {
        Ask::Exact(name) => {
            let (number, index) = name.split_first()?;
            let column = columns.iter().find(|column| column.number == *number)?;
            let (_, row) = rows.into_iter().find(|(row, _)| row.as_ref() == index)?;
            Some((name.to_vec(), (column.value)(&row)?))
        }
        Ask::After(from, inclusive) => after(columns, rows.into_iter(), from, inclusive),
    }
}

fn after<I: AsRef<[u32]>, R>(
    columns: &[Column<R>],
    mut rows: impl Iterator<Item = (I, R)>,
    from: &[u32],
    inclusive: Inclusive,
) -> Found {
    let cell = |column: &Column<R>, (index, row): &(I, R)| {
        let value = (column.value)(row)?;
        Some((Oid::join(&[column.number], index.as_ref()).0, value))
    };
    let (first, index) = from.split_first().map_or((0, from), |(&first, rest)| (first, rest));
    let mut passed = Vec::new();
    if let Some(column) = columns.iter().find(|column| column.number == first) {
        for row in rows.by_ref() {
            if inclusive.admits(row.0.as_ref(), index) {
                if let Some(found) = cell(column, &row) {
                    return Some(found);
                }
            }
            passed.push(row);
        }
    }
    passed.extend(rows);
    let mut others = columns.iter().filter(|column| column.number > first);
    others.find_map(|column| passed.iter().find_map(|row| cell(column, row)))
}

/// Finds one of some scalars, whose names end with 0.
pub fn scalars<R>(columns: &[Column<R>], state: R, ask: Ask<'_>) -> Found {
    table(columns, [([0], state)], ask)
}
