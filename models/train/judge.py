"""Say how near the kept models come to the overdrive, on audio they never saw.

    python -m train.judge
"""

import argparse

import numpy as np
from scipy.io import wavfile

from . import networks
from .data import held_out_pair
from .overdrive import overdrive
from .paths import SAMPLES

PRE_EMPHASIS = 0.95
TEST_SEED = 20_001  # neither trained on nor used to pick weights
TEST_MINUTES = 2.0


def error_to_signal(got, wanted):
    """Power of the error over power of what was wanted, both 1-D."""
    return float(np.sum((got - wanted) ** 2) / np.sum(wanted**2))


def bright_error_to_signal(got, wanted):
    """The same ratio after pre-emphasis."""
    return error_to_signal(*(x[1:] - PRE_EMPHASIS * x[:-1] for x in (got, wanted)))


def report(name):
    """Print the figures of one model."""
    model = networks.load(name)
    clean, driven = held_out_pair(TEST_MINUTES, TEST_SEED)
    got = networks.run_whole(model, clean)
    print(f"{name}: on {TEST_MINUTES:g} minutes not heard in training")
    print(f"  ESR {error_to_signal(got, driven):.5f}")
    print(f"  ESR after pre-emphasis {bright_error_to_signal(got, driven):.5f}")
    print(f"  offset {np.mean(got - driven):+.1e}, peak {np.abs(got).max():.3f}")

    _, sample = wavfile.read(SAMPLES / "guitar.wav")
    sample = (sample / 32768.0).astype(np.float32)
    got, driven = networks.run_whole(model, sample), overdrive(sample)
    print(f"  guitar.wav: ESR {error_to_signal(got, driven):.5f}, peak {np.abs(got).max():.3f}")
    silent = networks.run_whole(model, np.zeros(48_000, np.float32))
    print(f"  second of silence: peak {np.abs(silent).max():.1e}, end {silent[-1]:+.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(networks.LEARNED), help="default: all")
    for name in parser.parse_args().models:
        report(name)


if __name__ == "__main__":
    main()
