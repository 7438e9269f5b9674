"""Write tests/golden: what PyTorch makes of one fixed input, for every model.

    python -m train.golden
"""

import argparse

import numpy as np
import torch
from scipy.io import wavfile

from . import networks
from .forms import FORMS
from .paths import GOLDEN, RATE, SAMPLES

LENGTH = 24_001  # odd, and no multiple of any block, so that tails are tested
SWEEP = 9_600
IMPULSE_AT = 10_000
GUITAR = 9_600
GUITAR_FROM = 2_160  # 5 ms before the first note of the sample
DRIVE = 0.8  # where a knob stands


def fixed_input():
    """A log sweep, an impulse, silence, then the start of the guitar sample."""
    x = np.zeros(LENGTH)
    time = np.arange(SWEEP) / RATE
    low, high, seconds = 40.0, 16_000.0, SWEEP / RATE
    ratio = np.log(high / low)
    sweep = np.sin(2 * np.pi * low * seconds / ratio * (np.exp(time / seconds * ratio) - 1))
    edge = 240
    sweep[:edge] *= np.linspace(0, 1, edge)
    sweep[-edge:] *= np.linspace(1, 0, edge)
    x[:SWEEP] = 0.5 * sweep
    x[IMPULSE_AT] = 0.9
    _, guitar = wavfile.read(SAMPLES / "guitar.wav")
    x[-GUITAR:] = guitar[GUITAR_FROM : GUITAR_FROM + GUITAR] / 32768.0
    return x.astype(np.float32)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array, np.float32))


def rows_for(name, x):
    """The fixed input as rows for a model: the second channel plays it backwards, the knob stays."""
    form = FORMS[name]
    if form.inputs[0].channels == 2:
        return np.stack([x, 0.7 * x[::-1]])
    return np.stack([x, *(np.full_like(x, DRIVE) for tensor in form.inputs if tensor.knob)])


def single_run(name, feeds):
    """Tensors of one inference by name: inputs as given, outputs by PyTorch."""
    form = FORMS[name]
    with torch.no_grad():
        made = networks.load(name)(*(torch.from_numpy(x) for x in feeds))
    made = made if isinstance(made, tuple) else (made,)
    inputs = {tensor.name: x for tensor, x in zip(form.inputs, feeds, strict=True)}
    return inputs | {t.name: y.numpy() for t, y in zip(form.outputs, made, strict=True)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(FORMS), help="default: all")
    parser.add_argument("--seed", type=int, default=5, help="of the single runs")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)

    x = fixed_input()
    write(GOLDEN / "input.npy", x)
    for name, form in FORMS.items():
        feeds = form.draw(rng, 0.3)  # for all, so that each model's do not depend on which are asked for
        if name not in args.models:
            continue
        rows = rows_for(name, x).astype(np.float32)
        y = networks.run_whole(networks.load(name), rows)
        if form.inputs[0].channels == 2:
            write(GOLDEN / f"{name}.input.npy", rows)
        write(GOLDEN / f"{name}.output.npy", y if len(y) > 1 else y[0])
        for tensor, value in single_run(name, feeds).items():
            write(GOLDEN / "run" / name / f"{tensor}.npy", value)
        print(f"{name}: peak {np.abs(y).max():.3f}")


if __name__ == "__main__":
    main()
