//! Walks over tables that may be sparse.

use proptest::prelude::*;

use super::*;
use crate::agentx::mib::{Ask, Column, Inclusive, Mib, Part, column, scalars, table};

proptest! {
    /// Whoever asks for one object after the other sees what is there, each once and in order.
    #[test]
    fn a_walk_visits_every_cell_once(
        cells in prop::collection::btree_set((1u32..5, 1u32..6, 1u32..4), 0..40),
        start in prop::collection::vec(0u32..6, 0..5),
        inclusive in any::<bool>(),
    ) {
        let state = Cells(cells.iter().map(|&(c, a, b)| vec![9, 9, 1, c, a, b]).collect());
        let first = Oid([&[9, 9], &start[..]].concat());
        let mut seen = Vec::new();
        let mut next = CELLS.next(&state, &first.0, Inclusive(inclusive));
        while let Some((name, value)) = next {
            prop_assert_eq!(CELLS.get(&state, &name.0), Some(value));
            next = CELLS.next(&state, &name.0, Inclusive(false));
            seen.push(name.0);
        }
        let admitted = |name: &&Vec<u32>| **name > first.0 || (inclusive && **name == first.0);
        let wanted: Vec<Vec<u32>> = state.0.iter().filter(admitted).cloned().collect();
        prop_assert_eq!(seen, wanted);
    }
}

/// A sparse table: the names of the cells that have a value.
struct Cells(Vec<Vec<u32>>);

static CELLS: Mib<Cells> = Mib { root: &[9, 9], parts: &[Part { prefix: &[1], find: find_cell }] };

fn find_cell(state: &Cells, ask: Ask<'_>) -> mib::Found {
    fn cell(row: &(&Cells, [u32; 2]), number: u32) -> Option<Value> {
        let name = [9, 9, 1, number, row.1[0], row.1[1]];
        row.0.0.iter().any(|one| *one == name).then_some(Value::Null)
    }
    let columns: &[Column<(&Cells, [u32; 2])>] = &[
        column(1, |row| cell(row, 1)),
        column(2, |row| cell(row, 2)),
        column(3, |row| cell(row, 3)),
        column(4, |row| cell(row, 4)),
    ];
    let rows = (1..6).flat_map(|a| (1..4).map(move |b| [a, b]));
    table(columns, rows.map(|row| (row.to_vec(), (state, row))), ask)
}

#[test]
fn groups_of_scalars_and_tables_may_alternate() {
    static MIXED: Mib<()> = Mib {
        root: &[7],
        parts: &[
            Part {
                prefix: &[],
                find: |(), ask| scalars(&[column(1, |_| Some(Value::Integer(1)))], (), ask),
            },
            Part {
                prefix: &[3],
                find: |(), ask| scalars(&[column(1, |_| Some(Value::Integer(31)))], (), ask),
            },
            Part {
                prefix: &[],
                find: |(), ask| scalars(&[column(4, |_| Some(Value::Integer(4)))], (), ask),
            },
        ],
    };
    let mut name = oid(&[7]);
    let mut seen = Vec::new();
    while let Some((next, _)) = MIXED.next(&(), &name.0, Inclusive(false)) {
        seen.push(next.0.clone());
        name = next;
    }
    assert_eq!(seen, [vec![7, 1, 0], vec![7, 3, 1, 0], vec![7, 4, 0]]);
    assert_eq!(MIXED.next(&(), &[8], Inclusive(true)), None);
    assert_eq!(MIXED.get(&(), &[7, 4, 0]), Some(Value::Integer(4)));
    assert_eq!(MIXED.get(&(), &[7, 4, 1]), None);
}
