"""Say how near the kept models come to the overdrive, on audio they never saw.

    python -m train.judge
"""

import argparse

import numpy as np
from scipy.io import wavfile

from . import networks
from .data import held_out_pair
from .overdrive import knob_ohms, mid_drive, overdrive
from .paths import SAMPLES

PRE_EMPHASIS = 0.95
TEST_SEED = 20_001  # neither trained on nor used to pick weights
TEST_MINUTES = 2.0
SAMPLE_DRIVE = 0.5  # where the knob stands for the sample and for silence


def error_to_signal(got, wanted):
    """Power of the error over power of what was wanted, both [channels, T]."""
    return float(np.sum((got - wanted) ** 2) / np.sum(wanted**2))


def bright_error_to_signal(got, wanted):
    """The same ratio after pre-emphasis."""
    return error_to_signal(*(x[:, 1:] - PRE_EMPHASIS * x[:, :-1] for x in (got, wanted)))


def input_for(kind, x):
    """A mono sound as the input of a kind of model: on the left, or with the knob in the middle."""
    second = {"stereo": np.zeros_like(x), "knob": np.full_like(x, SAMPLE_DRIVE)}
    return np.stack([x, second[kind]]) if kind in second else x[None]


def circuit(kind, rows):
    """What the circuit makes of the input of a kind of model."""
    if kind == "stereo":
        return mid_drive(rows)
    return overdrive(rows[0], *(knob_ohms(knob) for knob in rows[1:]))[None]


def report(name):
    """Print the figures of one model."""
    model, kind = networks.load(name), networks.kind(name)
    clean, driven = held_out_pair(kind, TEST_MINUTES, TEST_SEED)
    got = networks.run_whole(model, clean)
    print(f"{name}: on {TEST_MINUTES:g} minutes not heard in training")
    print(f"  ESR {error_to_signal(got, driven):.5f}")
    print(f"  ESR after pre-emphasis {bright_error_to_signal(got, driven):.5f}")
    if len(got) == 2:
        middle = error_to_signal(got.mean(0, keepdims=True), driven.mean(0, keepdims=True))
        print(f"  ESR of the middle alone {middle:.5f}")
    print(f"  offset {np.mean(got - driven):+.1e}, peak {np.abs(got).max():.3f}")

    _, sample = wavfile.read(SAMPLES / "guitar.wav")
    sample = input_for(kind, (sample / 32768.0).astype(np.float32))
    got, driven = networks.run_whole(model, sample), circuit(kind, sample)
    print(f"  guitar.wav: ESR {error_to_signal(got, driven):.5f}, peak {np.abs(got).max():.3f}")
    silent = networks.run_whole(model, input_for(kind, np.zeros(48_000, np.float32)))
    print(f"  second of silence: peak {np.abs(silent).max():.1e}, end {silent[0, -1]:+.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(networks.LEARNED), help="default: all")
    for name in parser.parse_args().models:
        report(name)


if __name__ == "__main__":
    main()
