"""Pairs of clean and overdriven audio for training and for judging.

A pair is two float32 arrays [rows, samples]: what goes in and what comes out.
There are three kinds:

    mono     one channel through the overdrive
    stereo   two channels, of which the overdrive takes the middle
    knob     one channel and, as a second row of the input, the drive knob
"""

import numpy as np

from .overdrive import knob_ohms, mid_drive, overdrive
from .paths import RATE
from .strings import noodle

SECTION = 10.0  # seconds of playing at one level
QUIETEST = -24.0  # dB of a section's peak
KNOB_SECTION = 2.0  # seconds for which the knob stays


def _odd_signals(rng):
    """What a player never plays but a user may send: sweep, noise, clicks, nothing."""
    time = np.arange(2 * RATE) / RATE
    sweep = np.sin(2 * np.pi * 30 * 2 / np.log(400) * (400 ** (time / 2) - 1))
    sweep *= np.linspace(0.8, 0.1, time.size)
    noise = rng.standard_normal(RATE) * np.linspace(0.0, 0.15, RATE)
    clicks = np.zeros(RATE)
    clicks[:: RATE // 10] = np.linspace(-0.9, 0.9, 10)
    return np.concatenate([sweep, noise, clicks, np.zeros(2 * RATE)])


def playing(minutes, seed):
    """Clean audio: sections of random playing, each at a level of its own."""
    rng = np.random.default_rng(seed)
    sections = []
    for _ in range(round(minutes * 60 / SECTION)):
        level = 10 ** (rng.uniform(QUIETEST, 0) / 20)
        sections.append(level * noodle(SECTION, rng))
    return np.concatenate(sections)


def _in_steps(size, seconds, rng):
    """Random numbers from 0 to 1 that stay for a while; `size` samples."""
    every = round(seconds * RATE)
    return np.repeat(rng.random(-(-size // every)), every)[:size]


def _two_players(one, other, rng):
    """Two players [2, T], each somewhere between left and right, elsewhere in each section."""
    places = [_in_steps(one.size, SECTION, rng) * np.pi / 2 for _ in range(2)]
    left = one * np.cos(places[0]) + other * np.cos(places[1])
    right = one * np.sin(places[0]) + other * np.sin(places[1])
    return 0.7 * np.stack([left, right])


def _pair(kind, clean, second, rng):
    """The pair of a kind from one player's sound, and a second player's for stereo."""
    if kind == "stereo":
        x = _two_players(clean, second, rng)
        y = mid_drive(x)
    elif kind == "knob":
        drive = _in_steps(clean.size, KNOB_SECTION, rng)
        x = np.stack([clean, drive])
        y = overdrive(clean, knob_ohms(drive))[None]
    else:
        x, y = clean[None], overdrive(clean)[None]
    return x.astype(np.float32), y.astype(np.float32)


def training_pair(kind, minutes, seed):
    """Playing, then the odd signals."""
    rng = np.random.default_rng(seed + 1)
    clean = np.concatenate([playing(minutes, seed), _odd_signals(rng)])
    second = None
    if kind == "stereo":
        second = np.concatenate([playing(minutes, seed + 50_000), _odd_signals(rng)])
    return _pair(kind, clean, second, rng)


def held_out_pair(kind, minutes, seed):
    """Playing only, from a seed not trained on."""
    seed += 10_000
    clean = playing(minutes, seed)
    second = playing(minutes, seed + 50_000) if kind == "stereo" else None
    return _pair(kind, clean, second, np.random.default_rng(seed + 1))
