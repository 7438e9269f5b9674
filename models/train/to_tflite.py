"""TFLite: written by LiteRT's converter with channels last, run by LiteRT."""

import struct

import litert_torch
import torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import Model

from . import networks
from .forms import FORMS
from .paths import MODELS

ENDING = "tflite"


class ChannelsLast(torch.nn.Module):
    """A network whose streams have the channels last."""

    def __init__(self, name):
        super().__init__()
        self.network, self.form = networks.load(name), FORMS[name]

    def forward(self, *inputs):
        inputs = [t.channels_last(x) for t, x in zip(self.form.inputs, inputs, strict=True)]
        made = self.network(*inputs)
        made = made if isinstance(made, tuple) else (made,)
        return tuple(t.channels_last(y) for t, y in zip(self.form.outputs, made, strict=True))


def write(name):
    """Write models/<name>.tflite. An LSTM comes out unrolled, so its length is fixed."""
    form, path = FORMS[name], MODELS / f"{name}.tflite"
    example = (t.channels_last(torch.zeros(t.shape)) for t in form.inputs)
    litert_torch.convert(ChannelsLast(name).eval(), tuple(example)).export(str(path))
    data = bytearray(path.read_bytes())
    _call_by_name(data, form)
    path.write_bytes(data)
    return path


def _call_by_name(data, form):
    """Name the tensors as the other formats do; the converter counts them."""
    model = Model.GetRootAs(data)
    graph, signature = model.Subgraphs(0), model.SignatureDefs(0)
    names = dict(zip(graph.InputsAsNumpy().tolist(), (t.name for t in form.inputs), strict=True))
    names |= zip(graph.OutputsAsNumpy().tolist(), (t.name for t in form.outputs), strict=True)
    for index, name in names.items():
        _rename(data, graph.Tensors(index), 3, name)
    for i in range(signature.InputsLength()):
        _rename(data, signature.Inputs(i), 0, names[signature.Inputs(i).TensorIndex()])
    for i in range(signature.OutputsLength()):
        _rename(data, signature.Outputs(i), 0, names[signature.Outputs(i).TensorIndex()])


def _rename(data, table, field, name):
    """Write a shorter string over the string in a field of a flatbuffer's table."""
    table = table._tab
    at = table.Indirect(table.Pos + table.Offset(4 + 2 * field))
    (room,) = struct.unpack_from("<I", data, at)
    assert len(name) <= room, name
    struct.pack_into(f"<I{room}s", data, at, len(name), name.encode())


def runner(name, path):
    """A function from a list of inputs to the list of outputs, all with channels last."""
    interpreter = Interpreter(str(path), num_threads=1)
    run = interpreter.get_signature_runner()
    form = FORMS[name]

    def all_of(inputs):
        made = run(**{t.name: x for t, x in zip(form.inputs, inputs, strict=True)})
        return [made[t.name] for t in form.outputs]

    return all_of
