"""The tensors of each model file: names, shapes, and what their axes are.

A layout has one letter per axis: N rows, C channels, T time. TFLite files have
channels last, as that engine computes; the others are as PyTorch has them.
"""

from dataclasses import dataclass

import numpy as np

from . import networks

STATE = (1, 1, networks.AmpLstm.UNITS)


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple
    layout: str = ""  # of a stream; other tensors have none
    knob: bool = False  # turned by the user from 0 to 1

    @property
    def channels(self):
        return self.shape[self.layout.index("C")]

    def channels_last(self, array):
        """An array or PyTorch tensor of this shape as a TFLite file has it, and back."""
        return array.swapaxes(1, 2) if self.layout == "NCT" else array


@dataclass(frozen=True)
class Form:
    inputs: tuple
    outputs: tuple
    any_time: bool = False  # blocks of any length, in ONNX as in TorchScript

    def draw(self, rng, scale, time=None):
        """Random inputs for one inference; `time` samples where any number will do."""
        arrays = []
        for tensor in self.inputs:
            shape = list(tensor.shape)
            if time and tensor.layout:
                shape[tensor.layout.index("T")] = time
            x = rng.random(shape) if tensor.knob else scale * rng.standard_normal(shape)
            arrays.append(x.astype(np.float32))
        return arrays


def _stream(name, channels, time):
    return Tensor(name, (1, channels, time), "NCT")


def _tcn(hop, history, channels=1, *others):
    return Form(
        (_stream("input", channels, history + hop), *others), (_stream("output", channels, hop),)
    )


FORMS = {
    "gain": _tcn(512, 0),
    "amp-tcn-29k": _tcn(2_048, 13_332),
    "amp-lstm-2k": Form(
        (Tensor("input", (1, 64, 1), "NTC"), Tensor("h_in", STATE), Tensor("c_in", STATE)),
        (Tensor("output", (1, 64, 1), "NTC"), Tensor("h_out", STATE), Tensor("c_out", STATE)),
        any_time=True,
    ),
    "amp-tcn-15k": _tcn(2_048, 1_332),
    "amp-tcn-1k": _tcn(2_048, 132),
    "amp-hybrid-11k": Form(
        (Tensor("input", (256, 1, networks.AmpHybrid.WINDOW), "NCT"),),
        (Tensor("output", (256, 1), "NT"),),
    ),
    "amp-stereo-4k": _tcn(512, 1_332, 2),
    "amp-knob-4k": _tcn(512, 1_332, 1, Tensor("drive", (1,), knob=True)),
}
