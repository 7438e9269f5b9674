"""Pairs of clean and overdriven audio for training and for judging."""

import numpy as np

from .overdrive import overdrive
from .paths import RATE
from .strings import noodle

SECTION = 10.0  # seconds of playing at one level
QUIETEST = -24.0  # dB of a section's peak


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


def training_pair(minutes, seed):
    """(clean, overdriven) as float32: playing, then the odd signals."""
    rng = np.random.default_rng(seed + 1)
    clean = np.concatenate([playing(minutes, seed), _odd_signals(rng)])
    return clean.astype(np.float32), overdrive(clean).astype(np.float32)


def held_out_pair(minutes, seed):
    """(clean, overdriven) as float32: playing only, from a seed not trained on."""
    clean = playing(minutes, seed + 10_000)
    return clean.astype(np.float32), overdrive(clean).astype(np.float32)
