"""Write the model files from the kept weights and check them.

Each model is written as ONNX, TorchScript and TFLite. Each file is run by its
own engine for many blocks against PyTorch; a state that comes out of one block
goes into the next.

    python -m train.export
"""

import argparse
import importlib

import numpy as np
import torch

from . import networks
from .forms import FORMS
from .paths import MODELS

FORMATS = ("onnx", "torchscript", "tflite")
TOLERANCE = 1e-5
BIGGEST = 400 * 1024


def largest_difference(name, run, last, any_time, rng):
    """Biggest gap between `run` and PyTorch over many blocks.

    `last` says that `run` has the channels last.
    """
    model, form = networks.load(name), FORMS[name]
    states = len(form.outputs) - 1  # the last inputs, and the last outputs
    ours = theirs = None
    worst = 0.0
    for time in [64, 1, 512, 2_048, 33, 480] * 8 if any_time else [None] * 20:
        inputs = form.draw(rng, 0.4, time)
        if ours is None:
            ours = theirs = [np.zeros_like(x) for x in inputs[len(inputs) - states :]]
        streams = inputs[: len(inputs) - states]
        with torch.no_grad():
            wanted = model(*(torch.from_numpy(x) for x in [*streams, *ours]))
        wanted = [y.numpy() for y in (wanted if isinstance(wanted, tuple) else (wanted,))]
        fed = [*streams, *theirs]
        if last:
            fed = [t.channels_last(x) for t, x in zip(form.inputs, fed)]
            wanted = [t.channels_last(y) for t, y in zip(form.outputs, wanted)]
        got = run(fed)
        for a, b in zip(got, wanted, strict=True):
            assert a.shape == b.shape, (a.shape, b.shape)
            worst = max(worst, float(np.abs(a - b).max()))
        ours, theirs = wanted[1:], got[1:]
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(FORMS), help="default: all")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    args = parser.parse_args()
    for kind in args.formats:
        form = importlib.import_module(f".to_{kind}", __package__)
        for name in args.models:
            path = form.write(name)
            last = kind == "tflite"
            any_time = FORMS[name].any_time and not last
            run = form.runner(name, path)
            worst = largest_difference(name, run, last, any_time, np.random.default_rng(3))
            size = path.stat().st_size
            print(f"{path.name}: {size} bytes, differs by {worst:.1e} at most", flush=True)
            assert worst <= TOLERANCE
            assert size <= BIGGEST
            assert str(MODELS.parent).encode() not in path.read_bytes(), "a path of this machine"


if __name__ == "__main__":
    main()
