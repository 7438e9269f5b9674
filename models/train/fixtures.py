"""Write tests/fixtures: tiny ONNX models, each odd in one way, and check them.

    python -m train.fixtures
"""

import argparse

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from .paths import FIXTURES

OPSET = 17
IR_VERSION = 8
F32, F64, I64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.array(values, dtype), name)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def value(name, shape, kind=F32):
    return helper.make_tensor_value_info(name, kind, shape)


def knob():
    """A gain as a parameter, a peak as an output parameter."""
    nodes = [
        node("Mul", "input gain", "output"),
        node("Abs", "input", "size"),
        node("ReduceMax", "size", "highest", keepdims=0),
        node("Reshape", "highest one", "peak"),
    ]
    return (
        nodes,
        [value("input", [1, 1, 64]), value("gain", [1])],
        [value("output", [1, 1, 64]), value("peak", [1])],
        [constant("one", [1], np.int64)],
    )


def sidechain():
    """Two streams in, one out."""
    nodes = [node("Mul", "side quarter", "less"), node("Sub", "main less", "output")]
    shape = [1, 1, 64]
    return (
        nodes,
        [value("main", shape), value("side", shape)],
        [value("output", shape)],
        [constant("quarter", [0.25])],
    )


def stereo():
    """Two channels to mid and side."""
    nodes = [node("MatMul", "matrix input", "output")]
    shape = [1, 2, 128]
    matrix = [[[0.5, 0.5], [0.5, -0.5]]]
    return nodes, [value("input", shape)], [value("output", shape)], [constant("matrix", matrix)]


def time_last_batch():
    """Time in the middle of the shape."""
    nodes = [node("Mul", "input two", "output")]
    shape = [1, 96, 1]
    return nodes, [value("input", shape)], [value("output", shape)], [constant("two", [2.0])]


def rows():
    """A window of eight samples slid by one, a window a row."""
    nodes = [node("ReduceSum", "input axes", "output", keepdims=0)]
    return (
        nodes,
        [value("input", [32, 1, 8])],
        [value("output", [32, 1])],
        [constant("axes", [2], np.int64)],
    )


def upsample():
    """Two samples out for each sample in."""
    nodes = [
        node("Reshape", "input column", "single"),
        node("Concat", "single single", "double", axis=3),
        node("Reshape", "double row", "output"),
    ]
    return (
        nodes,
        [value("input", [1, 1, 64])],
        [value("output", [1, 1, 128])],
        [constant("column", [1, 1, 64, 1], np.int64), constant("row", [1, 1, 128], np.int64)],
    )


def counter_i64():
    """A state that is a whole number."""
    nodes = [
        node("Cast", "count_in", "count", to=F32),
        node("Add", "input count", "output"),
        node("Add", "count_in one", "count_out"),
    ]
    return (
        nodes,
        [value("input", [1, 1, 32]), value("count_in", [1], I64)],
        [value("output", [1, 1, 32]), value("count_out", [1], I64)],
        [constant("one", [1], np.int64)],
    )


def smoother():
    """A running sum; the state is the last sum."""
    nodes = [
        node("CumSum", "input axis", "sums"),
        node("Add", "sums z_in", "output"),
        node("Slice", "output last end last_axis", "z_out"),
    ]
    return (
        nodes,
        [value("input", [1, 1, 16]), value("z_in", [1, 1, 1])],
        [value("output", [1, 1, 16]), value("z_out", [1, 1, 1])],
        [
            constant("axis", 2, np.int64),
            constant("last", [15], np.int64),
            constant("end", [16], np.int64),
            constant("last_axis", [2], np.int64),
        ],
    )


def nan():
    """Division by zero: NaN for zero, infinity for all else."""
    nodes = [node("Div", "input zero", "output")]
    shape = [1, 1, 64]
    return nodes, [value("input", shape)], [value("output", shape)], [constant("zero", [0.0])]


def double():
    """Streams of 64-bit floats."""
    nodes = [node("Mul", "input half", "output")]
    shape = [1, 1, 64]
    half = constant("half", [0.5], np.float64)
    return nodes, [value("input", shape, F64)], [value("output", shape, F64)], [half]


def dynamic():
    """Any number of samples."""
    nodes = [node("Mul", "input half", "output")]
    shape = [1, 1, "time"]
    return nodes, [value("input", shape)], [value("output", shape)], [constant("half", [0.5])]


BUILDERS = {
    "knob": knob,
    "sidechain": sidechain,
    "stereo": stereo,
    "time-last-batch": time_last_batch,
    "rows": rows,
    "upsample": upsample,
    "counter-i64": counter_i64,
    "smoother": smoother,
    "nan": nan,
    "double": double,
    "dynamic": dynamic,
}


def expected(name, x):
    """What each fixture must give, in NumPy; `x` is the inputs by name."""
    if name == "knob":
        return [x["input"] * x["gain"], np.abs(x["input"]).max(keepdims=True)[0, 0]]
    if name == "sidechain":
        return [x["main"] - np.float32(0.25) * x["side"]]
    if name == "counter-i64":
        return [x["input"] + x["count_in"].astype(np.float32), x["count_in"] + 1]
    if name == "smoother":
        sums = np.cumsum(x["input"], axis=2) + x["z_in"]
        return [sums, sums[:, :, -1:]]
    x = x["input"]
    if name == "stereo":
        left, right = x[:, :1], x[:, 1:]
        return [np.concatenate([(left + right) / 2, (left - right) / 2], axis=1)]
    if name == "rows":
        return [x.sum(axis=2)]
    if name == "upsample":
        return [x.repeat(2, axis=2)]
    if name == "nan":
        with np.errstate(all="ignore"):
            return [x / np.float32(0)]
    return [x * {"time-last-batch": 2, "double": 0.5, "dynamic": 0.5}[name]]


def build(name):
    """Write one fixture."""
    nodes, inputs, outputs, constants = BUILDERS[name]()
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    model = helper.make_model(
        graph, producer_name="anira", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    path = FIXTURES / f"{name}.onnx"
    onnx.save(model, path)
    return path


def check(name, path, rng):
    """Compare ONNX Runtime with NumPy on random input."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for length in (7, 64):
        feeds = {}
        for i in session.get_inputs():
            shape = [length if isinstance(s, str) else s for s in i.shape]
            random = rng.standard_normal(shape)
            if i.type == "tensor(int64)":
                feeds[i.name] = np.array([41], np.int64)
            else:
                kind = np.float64 if i.type == "tensor(double)" else np.float32
                feeds[i.name] = random.astype(kind)
        if name == "nan":
            feeds["input"][..., :3] = 0
        wanted = expected(name, feeds)
        for a, b in zip(session.run(None, feeds), wanted, strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype, (name, a.dtype, b.dtype)
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rng = np.random.default_rng(11)
    for name in BUILDERS:
        path = build(name)
        check(name, path, rng)
        print(f"{path.name}: {path.stat().st_size} bytes, ok")


if __name__ == "__main__":
    main()
