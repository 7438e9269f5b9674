//! What TensorFlow Lite's operators take: how many tensors, which options, which numbers in them.
//!
//! Their code trusts much of it. Only operators that are listed here are let through.

use anira_traits::{Error, ErrorKind, Result};

use super::flatbuffer::Table;
use super::schema::Operator;

/// Stride, dilation, window, block of one operator.
const MAX_OPTION: i32 = 1 << 20;
/// Where the count of tensors is open.
const MANY: usize = 1 << 16;

/// The operators' names, by the schema's number.
const NAMES: [&str; 162] = [
    "ADD",
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "EMBEDDING_LOOKUP",
    "FLOOR",
    "FULLY_CONNECTED",
    "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION",
    "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION",
    "LOGISTIC",
    "LSH_PROJECTION",
    "LSTM",
    "MAX_POOL_2D",
    "MUL",
    "RELU",
    "RELU_N1_TO_1",
    "RELU6",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RNN",
    "SOFTMAX",
    "SPACE_TO_DEPTH",
    "SVDF",
    "TANH",
    "CONCAT_EMBEDDINGS",
    "SKIP_GRAM",
    "CALL",
    "CUSTOM",
    "EMBEDDING_LOOKUP_SPARSE",
    "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "GATHER",
    "BATCH_TO_SPACE_ND",
    "SPACE_TO_BATCH_ND",
    "TRANSPOSE",
    "MEAN",
    "SUB",
    "DIV",
    "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "STRIDED_SLICE",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "EXP",
    "TOPK_V2",
    "SPLIT",
    "LOG_SOFTMAX",
    "DELEGATE",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "CAST",
    "PRELU",
    "MAXIMUM",
    "ARG_MAX",
    "MINIMUM",
    "LESS",
    "NEG",
    "PADV2",
    "GREATER",
    "GREATER_EQUAL",
    "LESS_EQUAL",
    "SELECT",
    "SLICE",
    "SIN",
    "TRANSPOSE_CONV",
    "SPARSE_TO_DENSE",
    "TILE",
    "EXPAND_DIMS",
    "EQUAL",
    "NOT_EQUAL",
    "LOG",
    "SUM",
    "SQRT",
    "RSQRT",
    "SHAPE",
    "POW",
    "ARG_MIN",
    "FAKE_QUANT",
    "REDUCE_PROD",
    "REDUCE_MAX",
    "PACK",
    "LOGICAL_OR",
    "ONE_HOT",
    "LOGICAL_AND",
    "LOGICAL_NOT",
    "UNPACK",
    "REDUCE_MIN",
    "FLOOR_DIV",
    "REDUCE_ANY",
    "SQUARE",
    "ZEROS_LIKE",
    "FILL",
    "FLOOR_MOD",
    "RANGE",
    "RESIZE_NEAREST_NEIGHBOR",
    "LEAKY_RELU",
    "SQUARED_DIFFERENCE",
    "MIRROR_PAD",
    "ABS",
    "SPLIT_V",
    "UNIQUE",
    "CEIL",
    "REVERSE_V2",
    "ADD_N",
    "GATHER_ND",
    "COS",
    "WHERE",
    "RANK",
    "ELU",
    "REVERSE_SEQUENCE",
    "MATRIX_DIAG",
    "QUANTIZE",
    "MATRIX_SET_DIAG",
    "ROUND",
    "HARD_SWISH",
    "IF",
    "WHILE",
    "NON_MAX_SUPPRESSION_V4",
    "NON_MAX_SUPPRESSION_V5",
    "SCATTER_ND",
    "SELECT_V2",
    "DENSIFY",
    "SEGMENT_SUM",
    "BATCH_MATMUL",
    "PLACEHOLDER_FOR_GREATER_OP_CODES",
    "CUMSUM",
    "CALL_ONCE",
    "BROADCAST_TO",
    "RFFT2D",
    "CONV_3D",
    "IMAG",
    "REAL",
    "COMPLEX_ABS",
    "HASHTABLE",
    "HASHTABLE_FIND",
    "HASHTABLE_IMPORT",
    "HASHTABLE_SIZE",
    "REDUCE_ALL",
    "CONV_3D_TRANSPOSE",
    "VAR_HANDLE",
    "READ_VARIABLE",
    "ASSIGN_VARIABLE",
    "BROADCAST_ARGS",
    "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE",
    "RANDOM_UNIFORM",
    "MULTINOMIAL",
    "GELU",
    "DYNAMIC_UPDATE_SLICE",
    "RELU_0_TO_1",
    "UNSORTED_SEGMENT_PROD",
    "UNSORTED_SEGMENT_MAX",
    "UNSORTED_SEGMENT_SUM",
    "ATAN2",
    "UNSORTED_SEGMENT_MIN",
    "SIGN",
    "BITCAST",
    "BITWISE_XOR",
    "RIGHT_SHIFT",
];

const IF: i32 = 118;
const WHILE: i32 = 119;
const CALL_ONCE: i32 = 129;

/// An operator's name, as the schema has it.
pub(crate) fn name(code: i32) -> String {
    let known = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    known.map_or_else(|| format!("number {code}"), |name| (*name).to_owned())
}

/// What an operator takes and gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    inputs: (usize, usize),
    /// The first inputs, which may not be left out.
    pub(crate) required: usize,
    outputs: (usize, usize),
    /// The kind of options that it cannot do without, and the numbers in them that have to be at least 1.
    options: Option<(u8, &'static [usize])>,
}

/// `n` inputs, one output, no options that matter.
const fn plain(n: usize) -> Rule {
    some(n, n)
}

/// From `few` to `many` inputs, all of them present, one output.
const fn some(few: usize, many: usize) -> Rule {
    Rule { inputs: (few, many), required: many, outputs: (1, 1), options: None }
}

impl Rule {
    const fn required(self, required: usize) -> Self {
        Self { required, ..self }
    }

    const fn outputs(self, few: usize, many: usize) -> Self {
        Self { outputs: (few, many), ..self }
    }

    const fn options(self, kind: u8, positive: &'static [usize]) -> Self {
        Self { options: Some((kind, positive)), ..self }
    }

    /// Checks the counts and the options.
    pub(crate) fn check(&self, step: &Operator<'_>) -> Result<()> {
        for (what, count, (few, many)) in
            [("inputs", step.inputs.len(), self.inputs), ("outputs", step.outputs.len(), self.outputs)]
        {
            if !(few..=many).contains(&count) {
                let text = format!("has {count} {what}; from {few} to {many}");
                return Err(Error::new(ErrorKind::Model, text));
            }
        }
        let Some((kind, positive)) = self.options else { return Ok(()) };
        let options = options(step, kind)?;
        for field in positive {
            // Dilation, which may be absent, is 1 then; the others have to be there.
            let absent = i32::from(*field >= 4 && matches!(kind, 1 | 2));
            let value = options.i32(*field, absent)?;
            if !(1..=MAX_OPTION).contains(&value) {
                let text = format!("option {field} is {value}; from 1 to {MAX_OPTION}");
                return Err(Error::new(ErrorKind::Model, text));
            }
        }
        // Convolutions and pools: SAME or VALID.
        if matches!(kind, 1 | 2 | 5 | 49) && options.u8(0)? > 1 {
            let text = format!("its padding is number {}; 0 or 1", options.u8(0)?);
            return Err(Error::new(ErrorKind::Model, text));
        }
        let told = match name(step.code).as_str() {
            "SPLIT" | "SPLIT_V" | "UNPACK" => Some(("outputs", step.outputs.len())),
            "PACK" => Some(("inputs", step.inputs.len())),
            _ => None,
        };
        match told {
            Some((what, count)) if usize::try_from(options.i32(0, 0)?) != Ok(count) => {
                let text = format!("has {count} {what}, and its options say {}", options.i32(0, 0)?);
                Err(Error::new(ErrorKind::Model, text))
            }
            _ => Ok(()),
        }
    }
}

fn options<'a>(step: &Operator<'a>, kind: u8) -> Result<Table<'a>> {
    match step.options {
        Some((own, options)) if own == kind => Ok(options),
        _ => Err(Error::new(ErrorKind::Model, "lacks its options")),
    }
}

/// What the operator of this number takes; `None` if it is not let through.
pub(crate) fn rule(code: i32) -> Option<Rule> {
    Some(match name(code).as_str() {
        "ABS"
        | "CAST"
        | "CEIL"
        | "COMPLEX_ABS"
        | "COS"
        | "DENSIFY"
        | "DEQUANTIZE"
        | "ELU"
        | "EXP"
        | "FAKE_QUANT"
        | "FLOOR"
        | "GELU"
        | "HARD_SWISH"
        | "IMAG"
        | "L2_NORMALIZATION"
        | "LEAKY_RELU"
        | "LOCAL_RESPONSE_NORMALIZATION"
        | "LOG"
        | "LOG_SOFTMAX"
        | "LOGICAL_NOT"
        | "LOGISTIC"
        | "MATRIX_DIAG"
        | "NEG"
        | "QUANTIZE"
        | "RANDOM_STANDARD_NORMAL"
        | "RANDOM_UNIFORM"
        | "RANK"
        | "READ_VARIABLE"
        | "REAL"
        | "RELU"
        | "RELU6"
        | "RELU_0_TO_1"
        | "RELU_N1_TO_1"
        | "ROUND"
        | "RSQRT"
        | "SHAPE"
        | "SIGN"
        | "SIN"
        | "SOFTMAX"
        | "SQRT"
        | "SQUARE"
        | "SQUEEZE"
        | "TANH"
        | "WHERE"
        | "ZEROS_LIKE"
        | "BITCAST"
        | "BUCKETIZE" => plain(1),
        "ADD"
        | "ARG_MAX"
        | "ARG_MIN"
        | "ATAN2"
        | "BATCH_MATMUL"
        | "BITWISE_XOR"
        | "BROADCAST_ARGS"
        | "BROADCAST_TO"
        | "CUMSUM"
        | "DIV"
        | "EMBEDDING_LOOKUP"
        | "EQUAL"
        | "EXPAND_DIMS"
        | "FILL"
        | "FLOOR_DIV"
        | "FLOOR_MOD"
        | "GATHER"
        | "GATHER_ND"
        | "GREATER"
        | "GREATER_EQUAL"
        | "LESS"
        | "LESS_EQUAL"
        | "LOGICAL_AND"
        | "LOGICAL_OR"
        | "MATRIX_SET_DIAG"
        | "MAXIMUM"
        | "MEAN"
        | "MINIMUM"
        | "MIRROR_PAD"
        | "MUL"
        | "MULTINOMIAL"
        | "NOT_EQUAL"
        | "PAD"
        | "POW"
        | "PRELU"
        | "REDUCE_ALL"
        | "REDUCE_ANY"
        | "REDUCE_MAX"
        | "REDUCE_MIN"
        | "REDUCE_PROD"
        | "RESIZE_BILINEAR"
        | "RESIZE_NEAREST_NEIGHBOR"
        | "REVERSE_SEQUENCE"
        | "REVERSE_V2"
        | "RFFT2D"
        | "RIGHT_SHIFT"
        | "SEGMENT_SUM"
        | "SQUARED_DIFFERENCE"
        | "SUB"
        | "SUM"
        | "TILE"
        | "TRANSPOSE" => plain(2),
        "BATCH_TO_SPACE_ND"
        | "DYNAMIC_UPDATE_SLICE"
        | "PADV2"
        | "RANGE"
        | "SCATTER_ND"
        | "SELECT"
        | "SELECT_V2"
        | "SLICE"
        | "SPACE_TO_BATCH_ND"
        | "UNSORTED_SEGMENT_MAX"
        | "UNSORTED_SEGMENT_MIN"
        | "UNSORTED_SEGMENT_PROD"
        | "UNSORTED_SEGMENT_SUM" => plain(3),
        "ONE_HOT" | "SPARSE_TO_DENSE" => plain(4),
        "STRIDED_SLICE" => plain(4).options(32, &[]),
        "RESHAPE" => some(1, 2),
        "TOPK_V2" => plain(2).outputs(2, 2),
        "UNIQUE" => plain(1).outputs(2, 2),
        "ADD_N" => some(1, MANY),
        "CONCATENATION" => some(1, MANY).options(10, &[]),
        "PACK" => some(1, MANY).options(59, &[0]),
        "SPLIT" => plain(2).outputs(1, MANY).options(35, &[0]),
        "SPLIT_V" => plain(3).outputs(1, MANY).options(79, &[0]),
        "UNPACK" => plain(1).outputs(1, MANY).options(64, &[0]),
        // Strides and windows.
        "AVERAGE_POOL_2D" | "L2_POOL_2D" | "MAX_POOL_2D" => plain(1).options(5, &[1, 2, 3, 4]),
        // Strides and dilations.
        "CONV_2D" => some(2, 3).required(2).options(1, &[1, 2, 4, 5]),
        "DEPTHWISE_CONV_2D" => some(2, 3).required(2).options(2, &[1, 2, 5, 6]),
        "TRANSPOSE_CONV" => some(3, 4).required(3).options(49, &[1, 2]),
        // Blocks.
        "DEPTH_TO_SPACE" => plain(1).options(94, &[0]),
        "SPACE_TO_DEPTH" => plain(1).options(19, &[0]),
        "FULLY_CONNECTED" => some(2, 3).required(2).outputs(1, 2).options(8, &[]),
        // Recurrent layers: gates, peepholes, projections may be left out.
        "LSTM" => some(5, 24).required(1).outputs(1, 4).options(14, &[]),
        "UNIDIRECTIONAL_SEQUENCE_LSTM" => some(20, 24).required(1).options(71, &[]),
        "BIDIRECTIONAL_SEQUENCE_LSTM" => plain(48).required(1).outputs(1, 2).options(69, &[]),
        "RNN" => plain(5).options(7, &[]),
        "UNIDIRECTIONAL_SEQUENCE_RNN" => plain(5).options(31, &[]),
        "SVDF" => plain(5).required(3).options(6, &[0]),
        // Graphs that call graphs, and variables.
        "IF" => some(1, MANY).outputs(0, MANY).options(92, &[]),
        "WHILE" => some(1, MANY).outputs(0, MANY).options(93, &[]),
        "CALL_ONCE" => plain(0).outputs(0, 0).options(103, &[]),
        "VAR_HANDLE" => plain(0).options(111, &[]),
        "ASSIGN_VARIABLE" => plain(2).outputs(0, 0),
        _ => return None,
    })
}

/// The graphs that an operator calls, and with how many inputs if it gives its own on; `None` if it calls none.
pub(crate) fn callees(step: &Operator<'_>) -> Result<Option<(Vec<usize>, Option<usize>)>> {
    let index = |index: i32| {
        usize::try_from(index).map_err(|_| Error::new(ErrorKind::Model, format!("calls graph {index}")))
    };
    Ok(match step.code {
        IF | WHILE => {
            let options = options(step, if step.code == IF { 92 } else { 93 })?;
            // An IF keeps its first input, the condition.
            let inputs = step.inputs.len().saturating_sub(usize::from(step.code == IF));
            Some((vec![index(options.i32(0, 0)?)?, index(options.i32(1, 0)?)?], Some(inputs)))
        }
        CALL_ONCE => Some((vec![index(options(step, 103)?.i32(0, 0)?)?], None)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_stand_at_their_numbers() {
        for (code, right) in
            [(3, "CONV_2D"), (9, "FULLY_CONNECTED"), (32, "CUSTOM"), (119, "WHILE"), (150, "GELU")]
        {
            assert_eq!(name(code), right);
        }
        assert_eq!((name(-1), name(9999)), ("number -1".to_owned(), "number 9999".to_owned()));
    }

    #[test]
    fn operators_without_a_rule_are_those_that_reach_outside_or_that_nobody_knows() {
        let without: Vec<_> = (0..162).filter(|code| rule(*code).is_none()).map(name).collect();
        let right = "HASHTABLE_LOOKUP LSH_PROJECTION CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE \
                     BIDIRECTIONAL_SEQUENCE_RNN DELEGATE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 \
                     PLACEHOLDER_FOR_GREATER_OP_CODES CONV_3D HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT \
                     HASHTABLE_SIZE CONV_3D_TRANSPOSE";
        assert_eq!(without, right.split_whitespace().collect::<Vec<_>>());
    }
}
