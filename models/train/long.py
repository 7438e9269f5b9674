"""Write tests/golden/long: the last second of a minute, for every model that remembers.

    python -m train.long
"""

import numpy as np
import torch

from . import networks
from .forms import FORMS
from .golden import write
from .paths import GOLDEN, RATE

SECONDS = 60
PIECE = 2_000  # samples that PyTorch is given at once


def states(form):
    return [tensor for tensor in form.inputs if not tensor.layout and not tensor.knob]


def minute(x):
    """The golden input again and again. Its length is odd, so each time it begins elsewhere in a block."""
    length = SECONDS * RATE
    return np.tile(x, length // len(x) + 1)[:length]


def main():
    torch.set_num_threads(1)
    x = torch.from_numpy(minute(np.load(GOLDEN / "input.npy")))
    for name, form in FORMS.items():
        if not states(form):
            continue
        model = networks.load(name)
        state = [torch.zeros(tensor.shape) for tensor in states(form)]
        made = []
        with torch.no_grad():
            for piece in x.split(PIECE):
                y, *state = model(piece.reshape(1, -1, 1), *state)
                made.append(y.reshape(-1))
        y = torch.cat(made).numpy()
        write(GOLDEN / "long" / f"{name}.npy", y[-RATE:])
        print(f"{name}: {len(y)} samples, peak of the last second {np.abs(y[-RATE:]).max():.3f}")


if __name__ == "__main__":
    main()
