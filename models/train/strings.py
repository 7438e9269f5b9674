"""Plucked strings and strummed chords by an extended Karplus-Strong loop.

One string is a delay line closed over a one-pole loss filter, a short cascade
of all-passes (stiffness: high partials run sharp) and one all-pass that tunes
the fraction of a sample. What feeds it is a pick at a place on the string; what
is heard is a pickup at another place, its resonance and two body peaks.

Run as a program it writes a minute of what the training data is made of:

    python -m train.strings out.wav
"""

import argparse

import numpy as np
from numba import njit
from scipy.io import wavfile
from scipy.signal import lfilter

from .paths import RATE

STIFF_STAGES = 4
RELEASE_T60 = 0.15  # seconds for a damped string to fall by 60 dB

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
OPEN_STRINGS = ("E2", "A2", "D3", "G3", "B3", "E4")

# Frets per string, low to high; None is a string not played.
CHORDS = {
    "Em": (0, 2, 2, 0, 0, 0),
    "C": (None, 3, 2, 0, 1, 0),
    "G": (3, 2, 0, 0, 0, 3),
    "D": (None, None, 0, 2, 3, 2),
    "Am": (None, 0, 2, 2, 1, 0),
    "F": (1, 3, 3, 2, 1, 1),
    "E5": (0, 2, 2, None, None, None),
    "A5": (None, 0, 2, 2, None, None),
    "Dm": (None, None, 0, 2, 3, 1),
    "B7": (None, 2, 1, 2, 0, 2),
}


def frequency(note):
    """Hertz of a note name such as "E2" or "F#3" (A4 = 440)."""
    semitone = SEMITONES[note[0]] + note.count("#") - note[1:].count("b")
    octave = int(note.lstrip("ABCDEFG#b"))
    return 440.0 * 2.0 ** ((semitone - 9) / 12 + octave - 4)


def chord_frequencies(name):
    """Hertz of each string played in the named chord, low to high."""
    return [
        frequency(string) * 2.0 ** (fret / 12)
        for string, fret in zip(OPEN_STRINGS, CHORDS[name])
        if fret is not None
    ]


@njit
def _string_loop(excitation, length, delay, loss, gain, stiff, tune, off, damped_gain):
    line = np.zeros(delay)
    out = np.zeros(length)
    stiff_in = np.zeros(STIFF_STAGES)
    stiff_out = np.zeros(STIFF_STAGES)
    low = tune_in = tune_out = 0.0
    at = 0
    for n in range(length):
        x = line[at]
        low = (1.0 - loss) * x + loss * low
        x = low * (gain if n < off else damped_gain)
        for k in range(STIFF_STAGES):
            y = stiff * (x - stiff_out[k]) + stiff_in[k]
            stiff_in[k] = x
            stiff_out[k] = y
            x = y
        y = tune * (x - tune_out) + tune_in
        tune_in = x
        tune_out = y
        if n < excitation.size:
            y += excitation[n]
        line[at] = y
        out[n] = y
        at += 1
        if at == delay:
            at = 0
    return out


def _phase_delay(response, w):
    return -np.angle(response) / w


def _vibrate(excitation, hertz, length, t60, loss, stiff, off):
    """One polarisation of one string, tuned so that its loop is rate/hertz long."""
    w = 2 * np.pi * hertz / RATE
    z1 = np.exp(-1j * w)
    loss_response = (1 - loss) / (1 - loss * z1)
    stiff_response = (stiff + z1) / (1 + stiff * z1)
    rest = RATE / hertz - _phase_delay(loss_response, w)
    rest -= STIFF_STAGES * _phase_delay(stiff_response, w)
    delay = int(rest - 0.3)
    part = rest - delay
    tune = np.sin(w * (1 - part) / 2) / np.sin(w * (1 + part) / 2)

    def gain(seconds):
        return min(10 ** (-3 / (hertz * seconds)) / abs(loss_response), 0.99999)

    return _string_loop(
        excitation, length, delay, loss, gain(t60), stiff, tune, off, gain(RELEASE_T60)
    )


def _comb(x, samples):
    """x minus itself later: the nulls of a pick or pickup at a place on the string."""
    taps = np.zeros(max(2, int(samples) + 2))
    whole, part = divmod(samples, 1.0)
    taps[0] = 1.0
    taps[int(whole)] -= 1.0 - part
    taps[int(whole) + 1] -= part
    return lfilter(taps, 1.0, x)


def _resonant_lowpass(x, hertz, q):
    w = 2 * np.pi * hertz / RATE
    alpha, cos = np.sin(w) / (2 * q), np.cos(w)
    b = np.array([(1 - cos) / 2, 1 - cos, (1 - cos) / 2])
    return lfilter(b, [1 + alpha, -2 * cos, 1 - alpha], x)


def _peak(x, hertz, q, decibels):
    amp = 10 ** (decibels / 40)
    w = 2 * np.pi * hertz / RATE
    alpha, cos = np.sin(w) / (2 * q), np.cos(w)
    b = [1 + alpha * amp, -2 * cos, 1 - alpha * amp]
    return lfilter(b, [1 + alpha / amp, -2 * cos, 1 - alpha / amp], x)


def body(x):
    """The pickup's resonance and two wooden peaks."""
    x = _resonant_lowpass(x, 4_200.0, 1.6)
    x = _peak(x, 115.0, 1.5, 2.5)
    return _peak(x, 390.0, 1.2, 2.0)


def pluck(hertz, seconds, velocity, rng, held=None, pick=0.13, pickup=0.21):
    """One note before `body`.

    `velocity` in 0..1 sets loudness and brightness together; `held` is the time
    in seconds after which the string is damped (default: never); `pick` and
    `pickup` are places as a part of the string's length.
    """
    length = int(seconds * RATE)
    off = length if held is None else int(held * RATE)
    period = RATE / hertz

    # A pick's step of force, rounded by a soft hand, with the scrape of the pick.
    pulse = np.zeros(int(period) + 64)
    pulse[0] = 1.0
    pulse = lfilter([1.0], [1.0, -np.exp(-2 * np.pi * 1.5 * hertz / RATE)], pulse)
    scrape = rng.standard_normal(pulse.size) * np.exp(-np.arange(pulse.size) / 40.0)
    pulse = pulse + (0.05 + 0.25 * velocity) * scrape
    soft = np.exp(-2 * np.pi * (1_200 + 9_000 * velocity**1.5) / RATE)
    pulse = lfilter([1 - soft], [1, -soft], pulse)
    pulse = _comb(pulse, pick * period)
    pulse -= pulse.mean()

    t60 = np.clip(7.0 * (110.0 / hertz) ** 0.6, 1.5, 9.0)
    loss = np.clip(0.10 + 0.10 * (hertz / 330.0) ** 0.5 - 0.06 * velocity, 0.05, 0.35)
    stiff = -0.62 if hertz < 150 else -0.45
    tall = _vibrate(pulse, hertz, length, t60, loss, stiff, off)
    flat = _vibrate(pulse, hertz * 1.0004, length, 0.55 * t60, loss, stiff, off)
    heard = _comb(0.75 * tall + 0.25 * flat, pickup * period)
    return (0.15 + 0.85 * velocity) * heard


def strum(frequencies, seconds, velocity, rng, spread=0.018, up=False, **how):
    """Several strings, each `spread` seconds after the one before it."""
    out = np.zeros(int(seconds * RATE))
    order = reversed(frequencies) if up else frequencies
    for k, hertz in enumerate(order):
        start = int(k * spread * rng.uniform(0.8, 1.2) * RATE)
        force = float(np.clip(velocity * rng.uniform(0.85, 1.1), 0, 1))
        note = pluck(hertz, seconds, force, rng, **how)
        out[start:] += note[: out.size - start]
    return out


def mix_in(track, sound, at_seconds):
    """Add `sound` into `track` at a time, cut where the track ends."""
    start = int(at_seconds * RATE)
    end = min(track.size, start + sound.size)
    if end > start:
        track[start:end] += sound[: end - start]


def noodle(seconds, rng):
    """Random playing: notes, double stops, chords, some muted; peak is 1."""
    track = np.zeros(int(seconds * RATE))
    now = 0.0
    while now < seconds:
        gap = float(rng.choice([0.12, 0.18, 0.25, 0.35, 0.5, 0.9]))
        velocity = float(rng.uniform(0.1, 1.0))
        how = {
            "held": gap * float(rng.uniform(0.4, 2.0)),
            "pick": float(rng.uniform(0.06, 0.3)),
            "pickup": float(rng.uniform(0.1, 0.3)),
        }
        ring = how["held"] + 0.3
        kind = rng.random()
        if kind < 0.55:
            hertz = frequency("E2") * 2.0 ** (rng.integers(0, 37) / 12)
            sound = pluck(hertz, ring, velocity, rng, **how)
        elif kind < 0.75:
            hertz = frequency("E2") * 2.0 ** (rng.integers(0, 25) / 12)
            other = hertz * 2.0 ** (float(rng.choice([3, 4, 5, 7, 12])) / 12)
            sound = strum([hertz, other], ring, velocity, rng, **how)
        else:
            name = str(rng.choice(list(CHORDS)))
            up = bool(rng.random() < 0.4)
            sound = strum(chord_frequencies(name), ring, velocity, rng, up=up, **how)
        mix_in(track, sound, now)
        now += gap
    track = body(track)
    return track / np.max(np.abs(track))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wav", help="file to write")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sound = noodle(args.seconds, np.random.default_rng(args.seed))
    wavfile.write(args.wav, RATE, np.round(sound * 0.7 * 32767).astype(np.int16))


if __name__ == "__main__":
    main()
