"""The networks in PyTorch, and how their weights are kept (one .npz each)."""

import numpy as np
import torch
from torch import nn

from .paths import WEIGHTS


class Gain(nn.Module):
    """Half of the input; nothing to learn."""

    def forward(self, input):
        return 0.5 * input

    def whole(self, x):
        return self(x[None])[0]


class TcnBlock(nn.Module):
    """Dilated convolution and PReLU, plus a 1x1 path from the newest inputs.

    Nothing is padded: the output is shorter than the input by `crop` samples,
    and output k depends on inputs k to k + crop only.
    """

    def __init__(self, channels_in, channels_out, kernel, dilation):
        super().__init__()
        self.crop = (kernel - 1) * dilation
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, dilation=dilation)
        self.relu = nn.PReLU()
        self.past = nn.Conv1d(channels_in, channels_out, 1, bias=False)

    def forward(self, x):
        return self.relu(self.conv(x)) + self.past(x[:, :, self.crop :])


class AmpTcn(nn.Module):
    """[N, in, T + history] to [N, out, T]; a block per step of `channels`, dilations 1, 10, 100 ..."""

    KERNEL = 13

    def __init__(self, *channels):
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                TcnBlock(cin, cout, self.KERNEL, 10**i)
                for i, (cin, cout) in enumerate(zip(channels, channels[1:]))
            )
        )
        self.history = sum(block.crop for block in self.blocks)

    def forward(self, input):
        return self.blocks(input)

    def whole(self, x):
        return self(nn.functional.pad(x, (self.history, 0))[None])[0]

    @torch.no_grad()
    def trim_silence(self):
        """Make the output for silence zero by moving the last bias."""
        first, last = self.blocks[0], self.blocks[-1]
        silence = torch.zeros(1, first.conv.in_channels, self.history + 1)
        hidden = self.blocks[:-1](silence)
        wanted = -last.past(hidden[:, :, -1:])[0, :, 0]
        wanted = torch.where(wanted < 0, wanted / last.relu.weight, wanted)
        last.conv.bias += wanted - last.conv(hidden)[0, :, -1]


class AmpKnob(AmpTcn):
    """The same with a knob: `drive` from 0 to 1, one number, or one per sample.

    The blocks hear the input and drive times the input. So silence is silence
    at every place of the knob.
    """

    def forward(self, input, drive):
        return self.blocks(torch.cat([input, drive * input], 1))

    def whole(self, x):
        x = nn.functional.pad(x, (self.history, 0))
        return self(x[None, :1], x[None, 1:])[0]


class AmpLstm(nn.Module):
    """[N, T, 1] to [N, T, 1] with the state passed in and out."""

    UNITS = 20

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, self.UNITS, batch_first=True)
        self.linear = nn.Linear(self.UNITS, 1)

    def forward(self, input, h_in, c_in):
        hidden, (h_out, c_out) = self.lstm(input, (h_in, c_in))
        return self.linear(hidden), h_out, c_out

    def zero_state(self, batch: int = 1):
        return torch.zeros(1, batch, self.UNITS), torch.zeros(1, batch, self.UNITS)

    def whole(self, x):
        return self(x[:, :, None], *self.zero_state())[0][:, :, 0]

    @torch.no_grad()
    def trim_silence(self):
        """Make the output for lasting silence zero by moving the output bias."""
        output, _, _ = self(torch.zeros(1, 48_000, 1), *self.zero_state())
        self.linear.bias -= output[0, -1]


class AmpHybrid(nn.Module):
    """[N, 1, 150] to [N, 1]: the sample that each window of 150 ends with.

    Two convolutions make 150 samples two steps, over which an LSTM runs from
    zeros: nothing is remembered from one window to the next.
    """

    WINDOW, FILTERS, KERNEL, UNITS = 150, 16, 12, 36
    PIECE = 8_192  # windows at once in a long run

    def __init__(self):
        super().__init__()
        kernel, filters = self.KERNEL, self.FILTERS
        self.first = nn.Conv1d(1, filters, kernel, stride=kernel, padding=3)
        self.second = nn.Conv1d(filters, filters, kernel, stride=kernel, padding=6)
        self.lstm = nn.LSTM(filters, self.UNITS, batch_first=True)
        self.linear = nn.Linear(self.UNITS, 1)

    def forward(self, input):
        hidden, _ = self.lstm(self.second(self.first(input)).transpose(1, 2))
        return self.linear(hidden[:, -1])

    def windows(self, x):
        """[N, T + 149] to [N * T, 1, 150]."""
        return x.unfold(1, self.WINDOW, 1).reshape(-1, 1, self.WINDOW)

    def whole(self, x):
        windows = self.windows(nn.functional.pad(x, (self.WINDOW - 1, 0)))
        return torch.cat([self(w)[:, 0] for w in windows.split(self.PIECE)])[None]

    @torch.no_grad()
    def trim_silence(self):
        """Make the output for silence zero by moving the output bias."""
        self.linear.bias -= self(torch.zeros(1, 1, self.WINDOW))[0]


# name: how it is made, how many numbers it learns, what it learns from (see `data`)
LEARNED = {
    "amp-tcn-29k": (lambda: AmpTcn(1, 32, 32, 32, 1), 29_669, "mono"),
    "amp-tcn-15k": (lambda: AmpTcn(1, 32, 32, 1), 15_300, "mono"),
    "amp-tcn-1k": (lambda: AmpTcn(1, 32, 1), 931, "mono"),
    "amp-lstm-2k": (AmpLstm, 1_861, "mono"),
    "amp-hybrid-11k": (AmpHybrid, 11_109, "mono"),
    "amp-stereo-4k": (lambda: AmpTcn(2, 16, 16, 2), 4_517, "stereo"),
    "amp-knob-4k": (lambda: AmpKnob(2, 16, 16, 1), 4_292, "knob"),
}


def make(name):
    """The named model with random weights."""
    build, parameters, _ = LEARNED[name]
    model = build()
    assert sum(p.numel() for p in model.parameters()) == parameters, name
    return model


def kind(name):
    """What the named model learns from: a kind of `data`."""
    return LEARNED[name][2]


def save(name, model):
    """Keep the weights of a model as models/weights/<name>.npz."""
    WEIGHTS.mkdir(exist_ok=True)
    np.savez(WEIGHTS / f"{name}.npz", **{k: v.numpy() for k, v in model.state_dict().items()})


def load(name):
    """The named model with its kept weights, ready to run."""
    if name == "gain":
        return Gain().eval()
    model = make(name)
    with np.load(WEIGHTS / f"{name}.npz") as kept:
        model.load_state_dict({k: torch.from_numpy(kept[k]) for k in kept.files})
    return model.eval()


@torch.no_grad()
def run_whole(model, x):
    """One long run over float32 rows [rows, samples], from silence; same length out.

    The rows are the channels, then the knob for a model that has one.
    """
    return model.whole(torch.from_numpy(x)).numpy()
