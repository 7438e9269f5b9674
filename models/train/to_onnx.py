"""ONNX: written by PyTorch's exporter, run by ONNX Runtime."""

import warnings

import onnx
import onnxruntime
import torch

from . import networks
from .forms import FORMS
from .paths import MODELS

ENDING = "onnx"
OPSET = 17


def write(name):
    """Write models/<name>.onnx."""
    form, path = FORMS[name], MODELS / f"{name}.onnx"
    streams = [t for t in form.inputs + form.outputs if t.layout]
    free = {t.name: {t.layout.index("T"): "time"} for t in streams} if form.any_time else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            networks.load(name),
            tuple(torch.zeros(tensor.shape) for tensor in form.inputs),
            path,
            input_names=[tensor.name for tensor in form.inputs],
            output_names=[tensor.name for tensor in form.outputs],
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    model.graph.name = name
    for value, tensor in zip(model.graph.output, form.outputs, strict=True):
        _state_shape(value, tensor, free)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def _state_shape(value, tensor, free):
    """The exporter leaves shapes of outputs open that are known."""
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for axis, size in enumerate(tensor.shape):
        dim = shape.dim.add()
        if axis in free.get(tensor.name, {}):
            dim.dim_param = free[tensor.name][axis]
        else:
            dim.dim_value = size


def runner(name, path):
    """A function from a list of inputs to the list of outputs."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in FORMS[name].inputs]
    outputs = [tensor.name for tensor in FORMS[name].outputs]
    return lambda inputs: session.run(outputs, dict(zip(names, inputs, strict=True)))
