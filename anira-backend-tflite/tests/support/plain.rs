//! A model made by hand, to be spoilt.

#![allow(dead_code, reason = "each test binary uses a part")]

use crate::flat::Field::{self, Absent, Bytes, I32, Ints, Tables, U8};
use crate::flat::{Table, file, text};

pub(crate) const ADD: u8 = 0;

/// A small model, to be spoilt.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) tensors: Vec<Table>,
    pub(crate) inputs: Vec<i32>,
    pub(crate) outputs: Vec<i32>,
    pub(crate) operators: Vec<Table>,
    pub(crate) codes: Vec<Table>,
    pub(crate) buffers: Vec<Table>,
    pub(crate) more_graphs: Vec<Table>,
    pub(crate) signatures: Vec<Table>,
}

pub(crate) fn tensor(name: &str, kind: u8, shape: &[i32], buffer: i32) -> Table {
    vec![Ints(shape.to_vec()), U8(kind), I32(buffer), text(name)]
}

pub(crate) fn code(code: u8) -> Table {
    vec![U8(code), Absent, I32(1), I32(i32::from(code))]
}

pub(crate) fn operator(code: i32, inputs: &[i32], outputs: &[i32]) -> Table {
    vec![I32(code), Ints(inputs.to_vec()), Ints(outputs.to_vec()), Absent, Absent]
}

pub(crate) fn with_options(mut operator: Table, kind: u8, options: Table) -> Table {
    operator[3] = U8(kind);
    operator[4] = Field::Table(options);
    operator
}

/// Bytes of int32.
pub(crate) fn ints(numbers: &[i32]) -> Table {
    vec![Bytes(numbers.iter().flat_map(|n| n.to_le_bytes()).collect())]
}

/// `y = x + w`, of four numbers each.
pub(crate) fn plain() -> Plain {
    Plain {
        tensors: vec![tensor("x", 0, &[1, 4], 0), tensor("w", 0, &[1, 4], 1), tensor("y", 0, &[1, 4], 0)],
        inputs: vec![0],
        outputs: vec![2],
        operators: vec![operator(0, &[0, 1], &[2])],
        codes: vec![code(ADD)],
        buffers: vec![vec![], ints(&[1, 2, 3, 4])],
        more_graphs: vec![],
        signatures: vec![],
    }
}

impl Plain {
    pub(crate) fn graph(&self) -> Table {
        vec![
            Tables(self.tensors.clone()),
            Ints(self.inputs.clone()),
            Ints(self.outputs.clone()),
            Tables(self.operators.clone()),
        ]
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let graphs = [vec![self.graph()], self.more_graphs.clone()].concat();
        file(&vec![
            I32(3),
            Tables(self.codes.clone()),
            Tables(graphs),
            text("made to be spoilt"),
            Tables(self.buffers.clone()),
            Absent,
            Absent,
            Tables(self.signatures.clone()),
        ])
    }
}
