"""Render samples/guitar.wav: a short phrase, then chords, on a clean string model."""

import argparse

import numpy as np
from scipy.io import wavfile

from . import strings
from .paths import RATE, SAMPLES

SECONDS = 10.0
LEAD_IN = 0.05
PEAK = 10 ** (-3 / 20)
BEAT = 0.52  # seconds

# (beat, note, beats held, velocity)
NOTES = [
    (0.0, "E3", 0.95, 0.70),
    (1.0, "G3", 0.45, 0.55),
    (1.5, "A3", 0.95, 0.75),
    (2.5, "B3", 0.45, 0.60),
    (3.0, "D4", 0.95, 0.85),
    (4.0, "B3", 0.45, 0.60),
    (4.5, "A3", 0.45, 0.50),
    (5.0, "G3", 0.95, 0.65),
    (6.0, "F#3", 0.45, 0.45),
    (6.5, "E3", 1.45, 0.60),
    (7.5, "E2", 2.30, 0.80),
]

# (beat, chord, beats held, velocity, upward)
CHORDS = [
    (8.0, "Em", 1.90, 0.55, False),
    (10.0, "C", 1.40, 0.60, False),
    (11.5, "C", 0.45, 0.35, True),
    (12.0, "G", 0.95, 0.65, False),
    (13.0, "D", 0.95, 0.75, False),
    (14.0, "Em", 3.40, 0.80, False),
]


def render(seed):
    """The phrase as float samples; the last tenth of a second is faded to zero."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(SECONDS * RATE))
    for beat, note, held, velocity in NOTES:
        held *= BEAT
        sound = strings.pluck(strings.frequency(note), held + 0.5, velocity, rng, held=held)
        strings.mix_in(track, sound, LEAD_IN + beat * BEAT)
    for beat, chord, held, velocity, up in CHORDS:
        held *= BEAT
        notes = strings.chord_frequencies(chord)
        sound = strings.strum(notes, held + 0.6, velocity, rng, up=up, held=held)
        strings.mix_in(track, 0.6 * sound, LEAD_IN + beat * BEAT)
    track = strings.body(track)
    fade = RATE // 10
    track[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return track * PEAK / np.max(np.abs(track))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", default=SAMPLES / "guitar.wav")
    args = parser.parse_args()
    samples = np.round(render(args.seed) * 32767).astype(np.int16)
    wavfile.write(args.out, RATE, samples)
    print(f"{args.out}: {samples.size} samples, peak {np.abs(samples).max() / 32768:.3f}")


if __name__ == "__main__":
    main()
