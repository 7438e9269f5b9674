"""Write the ONNX model files from the kept weights and check them.

Each file is checked by the ONNX checker and run by ONNX Runtime for many blocks
against PyTorch; a state tensor that comes out of one block goes into the next.

    python -m train.export
"""

import argparse
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

from . import networks
from .paths import MODELS

OPSET = 17
TOLERANCE = 1e-5
BIGGEST = 400 * 1024

GAIN_BLOCK = 512
TCN_BLOCK = 2_048
STATE = (1, 1, networks.AmpLstm.UNITS)

# name: (example inputs, input names, output names, which axes are not fixed)
EXPORTS = {
    "gain": ([(1, 1, GAIN_BLOCK)], ["input"], ["output"], {}),
    "amp-tcn-29k": ([(1, 1, TCN_BLOCK + 13_332)], ["input"], ["output"], {}),
    "amp-lstm-2k": (
        [(1, 64, 1), STATE, STATE],
        ["input", "h_in", "c_in"],
        ["output", "h_out", "c_out"],
        {"input": {1: "time"}, "output": {1: "time"}},
    ),
}


def export(name):
    """Write models/<name>.onnx."""
    shapes, inputs, outputs, free = EXPORTS[name]
    path = MODELS / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            networks.load(name),
            tuple(torch.zeros(shape) for shape in shapes),
            path,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    tidy(model, name)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    assert path.stat().st_size < BIGGEST
    return path


def tidy(model, name):
    """State what the exporter leaves open: the shapes of outputs, and the name."""
    model.graph.name = name
    for value in model.graph.output:
        if value.name in ("h_out", "c_out"):
            set_shape(value, STATE)
        elif name == "amp-lstm-2k":
            set_shape(value, (1, "time", 1))


def set_shape(value, shape):
    dims = value.type.tensor_type.shape
    del dims.dim[:]
    for size in shape:
        dim = dims.dim.add()
        if isinstance(size, str):
            dim.dim_param = size
        else:
            dim.dim_value = size


def largest_difference(name, path, rng):
    """Biggest gap between ONNX Runtime and PyTorch over many blocks."""
    model = networks.load(name)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    if name == "amp-lstm-2k":
        theirs = [np.zeros(STATE, np.float32)] * 2
        ours = model.zero_state()
        for length in [64, 1, 512, 2_048, 33, 480] * 8:
            x = (0.4 * rng.standard_normal((1, length, 1))).astype(np.float32)
            with torch.no_grad():
                wanted, *ours = model(torch.from_numpy(x), *ours)
            feeds = {"input": x, "h_in": theirs[0], "c_in": theirs[1]}
            got, *theirs = session.run(["output", "h_out", "c_out"], feeds)
            for a, b in zip([got, *theirs], [wanted, *ours]):
                assert a.shape == b.shape
                worst = max(worst, float(np.abs(a - b.numpy()).max()))
        return worst
    for _ in range(20):
        x = (0.4 * rng.standard_normal(EXPORTS[name][0][0])).astype(np.float32)
        with torch.no_grad():
            wanted = model(torch.from_numpy(x)).numpy()
        (got,) = session.run(["output"], {"input": x})
        assert got.shape == wanted.shape
        worst = max(worst, float(np.abs(got - wanted).max()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(EXPORTS), help="default: all")
    for name in parser.parse_args().models:
        path = export(name)
        worst = largest_difference(name, path, np.random.default_rng(3))
        print(f"{path.name}: {path.stat().st_size} bytes, differs by {worst:.1e} at most")
        assert worst <= TOLERANCE


if __name__ == "__main__":
    main()
