"""Train one of the amp models on the overdrive for a number of minutes.

Writes models/weights/<model>.npz, models/<model>.loss.csv and
models/<model>.loss.svg, and prints what `judge` says of the model.

    python -m train.train --model amp-tcn-29k --minutes 12 --seed 1
"""

import argparse
import csv
import math
import time

import numpy as np
import torch

from . import networks
from .data import held_out_pair, training_pair
from .judge import PRE_EMPHASIS, error_to_signal, report
from .paths import MODELS
from .plot import plot_loss
from .quick_conv import use_quick_conv

QUIET = 1e-4  # mean square below which a clip's error is not magnified
VALIDATE_EVERY = 20.0  # seconds of training


def emphasise(x):
    """First difference, almost: the ear minds highs more than their power says."""
    return x[:, 1:] - PRE_EMPHASIS * x[:, :-1]


def loss_of(got, wanted):
    """Error to signal, plain and pre-emphasised, and offset; mean over clips [N, channels, T]."""
    got, wanted = got.flatten(0, 1), wanted.flatten(0, 1)

    def ratio(error, signal):
        return ((error**2).mean(1) / ((signal**2).mean(1) + QUIET)).mean()

    offset = (got.mean(1) - wanted.mean(1)) ** 2 / ((wanted**2).mean(1) + QUIET)
    plain = ratio(got - wanted, wanted)
    # The pre-emphasised signal is far weaker; the floor is for the plain one.
    bright = (emphasise(got - wanted) ** 2).sum() / (emphasise(wanted) ** 2).sum().clamp_min(QUIET)
    return plain + bright + offset.mean()


class Clips:
    """Random places of a pair, `past` samples longer in the input than in the output."""

    def __init__(self, pair, past, length, batch, rng):
        self.pair, self.past, self.length, self.batch, self.rng = pair, past, length, batch, rng

    def draw(self):
        clean, driven = self.pair
        past, whole = self.past, self.past + self.length
        starts = self.rng.integers(0, clean.shape[1] - whole, self.batch)
        x = np.stack([clean[:, s : s + whole] for s in starts])
        y = np.stack([driven[:, s + past : s + whole] for s in starts])
        return torch.from_numpy(x), torch.from_numpy(y)


class TcnSteps:
    """Random clips, each long enough for every output to see its whole past."""

    BATCH, LENGTH, RATE, LAST_RATE = 2, 16_384, 4e-3, 5e-5

    def __init__(self, model, pair, rng):
        self.model = model
        self.clips = Clips(pair, model.history, self.LENGTH, self.BATCH, rng)
        use_quick_conv(model)

    def losses(self):
        x, y = self.clips.draw()
        yield loss_of(self.model(x), y)


class KnobSteps(TcnSteps):
    """The same; the last row of a clip is the knob."""

    def losses(self):
        x, y = self.clips.draw()
        yield loss_of(self.model(x[:, :1], x[:, 1:]), y)


class HybridSteps:
    """Random clips, cut into all their windows."""

    BATCH, LENGTH, RATE, LAST_RATE = 4, 2_048, 4e-3, 5e-5

    def __init__(self, model, pair, rng):
        self.model = model
        self.clips = Clips(pair, model.WINDOW - 1, self.LENGTH, self.BATCH, rng)

    def losses(self):
        x, y = self.clips.draw()
        got = self.model(self.model.windows(x[:, 0]))
        yield loss_of(got.reshape(y.shape), y)


class LstmSteps:
    """Random clips read in stretches; the state goes on, the gradient does not.

    `self.start` also asks that a zero state and silence give silence, since that
    is how a stream starts and the clips never show it. It slows learning down,
    so it is left to a second run with --resume.
    """

    START, START_FLOOR = 256, 1e-5  # samples; mean square that counts as 1
    BATCH, LENGTH, STRETCH, WARM_UP, RATE, LAST_RATE = 40, 9_216, 512, 1_024, 6e-3, 1e-4

    def __init__(self, model, pair, rng):
        self.model = model
        self.clips = Clips(pair, 0, self.LENGTH, self.BATCH, rng)
        self.start = False

    def losses(self):
        x, y = self.clips.draw()
        x = x[:, 0]
        state = self.model.zero_state(self.BATCH)
        with torch.no_grad():
            _, *state = self.model(x[:, : self.WARM_UP, None], *state)
        for at in range(self.WARM_UP, self.LENGTH, self.STRETCH):
            piece = slice(at, at + self.STRETCH)
            got, *state = self.model(x[:, piece, None], *state)
            state = [s.detach() for s in state]
            loss = loss_of(got.transpose(1, 2), y[:, :, piece])
            if self.start:
                silence = torch.zeros(1, self.START, 1)
                got, _, _ = self.model(silence, *self.model.zero_state())
                loss = loss + (got**2).mean() / self.START_FLOOR
            yield loss


STEPS = {
    networks.AmpTcn: TcnSteps,
    networks.AmpKnob: KnobSteps,
    networks.AmpLstm: LstmSteps,
    networks.AmpHybrid: HybridSteps,
}


def train(model, steps, seconds, first_rate, validate):
    """Adam with a cosine rate; returns rows of what the loss did.

    The clock counts training only, not validation. `validate` gives the
    held-out error, for the curve only.
    """
    adam = torch.optim.Adam(model.parameters(), lr=first_rate)
    rows, recent = [], []
    spent, updates, due = 0.0, 0, VALIDATE_EVERY
    while spent < seconds:
        mark = time.perf_counter()
        for loss in steps.losses():
            part = min(spent / seconds, 1.0)
            rate = steps.LAST_RATE + (first_rate - steps.LAST_RATE) * (
                0.5 + 0.5 * math.cos(math.pi * part)
            )
            adam.param_groups[0]["lr"] = rate
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            recent.append(loss.item())
            updates += 1
        spent += time.perf_counter() - mark
        if spent >= due or spent >= seconds:
            due += VALIDATE_EVERY
            held_out = validate(model)
            rows.append((round(spent, 1), updates, float(np.mean(recent)), held_out))
            print(f"{spent:7.1f} s  {updates:6d} updates  loss {rows[-1][2]:.5f}  ESR {held_out:.5f}", flush=True)
            recent = []
    return rows


def kept_rows(name):
    """The rows of the run that a --resume goes on from."""
    with open(MODELS / f"{name}.loss.csv", newline="") as kept:
        return [(float(s), int(u), float(a), float(b)) for s, u, a, b in list(csv.reader(kept))[1:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, choices=sorted(networks.LEARNED))
    parser.add_argument("--minutes", type=float, default=10.0, help="of training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--audio-minutes", type=float, default=5.0, help="of training audio")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the kept weights at a tenth of the rate; an LSTM also learns to start",
    )
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    kind = networks.kind(args.model)
    pair = training_pair(kind, args.audio_minutes, args.seed)
    watch_clean, watch_driven = held_out_pair(kind, 0.5, args.seed)

    model = networks.make(args.model)
    steps = STEPS[type(model)](model, pair, np.random.default_rng(args.seed))
    rate, earlier = steps.RATE, []
    if args.resume:
        model.load_state_dict(networks.load(args.model).state_dict())
        steps.start = True
        rate, earlier = steps.RATE / 10, kept_rows(args.model)
    rows = train(
        model,
        steps,
        args.minutes * 60,
        rate,
        lambda m: error_to_signal(networks.run_whole(m, watch_clean), watch_driven),
    )
    if earlier:
        seconds, updates = earlier[-1][:2]
        rows = earlier + [(s + seconds, u + updates, a, b) for s, u, a, b in rows]
    model.trim_silence()
    networks.save(args.model, model)

    with open(MODELS / f"{args.model}.loss.csv", "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("seconds", "updates", "training_loss", "held_out_esr"))
        writer.writerows((f"{s:.1f}", u, f"{a:.6f}", f"{b:.6f}") for s, u, a, b in rows)
    plot_loss(args.model, rows)

    report(args.model)


if __name__ == "__main__":
    main()
