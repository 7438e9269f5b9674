"""The networks in PyTorch, and how their weights are kept (one .npz each)."""

import numpy as np
import torch
from torch import nn

from .paths import WEIGHTS


class Gain(nn.Module):
    """Half of the input; nothing to learn."""

    def forward(self, input):
        return 0.5 * input


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
    """[N, 1, T + 13332] to [N, 1, T]; 29,669 parameters."""

    CHANNELS = (1, 32, 32, 32, 1)
    DILATIONS = (1, 10, 100, 1000)
    KERNEL = 13

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                TcnBlock(cin, cout, self.KERNEL, dilation)
                for cin, cout, dilation in zip(
                    self.CHANNELS, self.CHANNELS[1:], self.DILATIONS
                )
            )
        )
        self.history = sum(block.crop for block in self.blocks)
        assert self.history == 13_332
        assert count(self) == 29_669

    def forward(self, input):
        return self.blocks(input)

    @torch.no_grad()
    def trim_silence(self):
        """Make the output for silence zero by moving the last bias."""
        last = self.blocks[-1]
        hidden = self.blocks[:-1](torch.zeros(1, 1, self.history + 1))
        before = last.conv(hidden).item()
        wanted = -last.past(hidden[:, :, -1:]).item()
        if wanted < 0:
            wanted /= last.relu.weight.item()
        last.conv.bias += wanted - before


class AmpLstm(nn.Module):
    """[N, T, 1] to [N, T, 1] with the state passed in and out; 1,861 parameters."""

    UNITS = 20

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, self.UNITS, batch_first=True)
        self.linear = nn.Linear(self.UNITS, 1)
        assert count(self) == 1_861

    def forward(self, input, h_in, c_in):
        hidden, (h_out, c_out) = self.lstm(input, (h_in, c_in))
        return self.linear(hidden), h_out, c_out

    def zero_state(self, batch=1):
        return torch.zeros(1, batch, self.UNITS), torch.zeros(1, batch, self.UNITS)

    @torch.no_grad()
    def trim_silence(self):
        """Make the output for lasting silence zero by moving the output bias."""
        output, _, _ = self(torch.zeros(1, 48_000, 1), *self.zero_state())
        self.linear.bias -= output[0, -1]


LEARNED = {"amp-tcn-29k": AmpTcn, "amp-lstm-2k": AmpLstm}


def count(model):
    """Number of trained numbers in a model."""
    return sum(p.numel() for p in model.parameters())


def save(name, model):
    """Keep the weights of a model as models/weights/<name>.npz."""
    WEIGHTS.mkdir(exist_ok=True)
    np.savez(WEIGHTS / f"{name}.npz", **{k: v.numpy() for k, v in model.state_dict().items()})


def load(name):
    """The named model with its kept weights, ready to run."""
    if name == "gain":
        return Gain().eval()
    model = LEARNED[name]()
    with np.load(WEIGHTS / f"{name}.npz") as kept:
        model.load_state_dict({k: torch.from_numpy(kept[k]) for k in kept.files})
    return model.eval()


@torch.no_grad()
def run_whole(model, x):
    """One long run over a 1-D float32 array, from silence; same length out."""
    x = torch.from_numpy(x)
    if isinstance(model, AmpTcn):
        padded = torch.cat([torch.zeros(model.history), x])
        return model(padded[None, None])[0, 0].numpy()
    if isinstance(model, AmpLstm):
        return model(x[None, :, None], *model.zero_state())[0][0, :, 0].numpy()
    return model(x[None, None])[0, 0].numpy()
