"""The overdrive that the amp models learn: an op-amp stage with diodes across it.

    input ── high-pass ──(+)op-amp──┬── tone low-pass ── level ── output
                                    │
               (−)──┬── Rf ‖ Cf ‖ two diodes back to back
                    └── Rg ── Cg ── ground

The amplifier is ideal, so the current of Rg and Cg is known from the input and
all of it flows into the feedback parts. Capacitors follow the trapezoidal rule.
What remains is one equation per sample for the feedback voltage v,

    i = v/Rf + i_c(v) + 2 Is sinh(v / (n Vt)),

solved by Newton's method at eight times the sample rate.

    python -m train.overdrive in.wav out.wav
"""

import argparse

import numpy as np
from numba import njit
from scipy.io import wavfile
from scipy.signal import lfilter, resample_poly

from .paths import RATE

OVERSAMPLE = 8
VOLTS = 0.35  # what a full-scale sample means at the input
LEVEL = 1.1  # sample value per volt at the output

HIGHPASS_HZ = 60.0
TONE_HZ = 4_000.0
R_GROUND = 6_800.0
C_GROUND = 68e-9
R_FEEDBACK = 180_000.0
C_FEEDBACK = 100e-12
DIODE_SATURATION = 4e-9
DIODE_SLOPE = 1.8 * 0.02585  # n * Vt in volts

MAX_NEWTON = 40
TOLERANCE = 1e-9  # volts


@njit
def _stage(volts, ohms, rate):
    """`ohms` is Rf for each sample of the plain rate."""
    half_g = 1.0 / (2.0 * C_GROUND * rate)
    conductance = 2.0 * C_FEEDBACK * rate
    out = np.empty_like(volts)
    charge = current = v = cap_current = 0.0
    for n in range(volts.size):
        feedback = 1.0 / ohms[n // OVERSAMPLE]
        new_current = (volts[n] - charge - current * half_g) / (R_GROUND + half_g)
        charge += (new_current + current) * half_g
        current = new_current

        # f(v) = 0 rises everywhere, so a step limited to a few slopes converges.
        known = current + conductance * v + cap_current
        guess = v
        for _ in range(MAX_NEWTON):
            e = np.exp(guess / DIODE_SLOPE)
            diodes = DIODE_SATURATION * (e - 1.0 / e)
            slope = DIODE_SATURATION * (e + 1.0 / e) / DIODE_SLOPE
            f = guess * (feedback + conductance) + diodes - known
            step = f / (feedback + conductance + slope)
            step = min(max(step, -4.0 * DIODE_SLOPE), 4.0 * DIODE_SLOPE)
            guess -= step
            if abs(step) < TOLERANCE:
                break
        cap_current = conductance * (guess - v) - cap_current
        v = guess
        out[n] = volts[n] + v
    return out


def _one_pole(hertz, rate, high):
    """Bilinear first-order high- or low-pass as (b, a)."""
    k = np.tan(np.pi * hertz / rate)
    b = [1 / (1 + k), -1 / (1 + k)] if high else [k / (1 + k), k / (1 + k)]
    return b, [1.0, (k - 1) / (k + 1)]


def overdrive(x, ohms=R_FEEDBACK):
    """The circuit's output for samples `x` (1-D); same length, no delay.

    `ohms` is the feedback resistor, one number or one per sample.
    """
    rate = RATE * OVERSAMPLE
    ohms = np.broadcast_to(np.asarray(ohms, np.float64), len(x))
    volts = resample_poly(np.asarray(x, np.float64) * VOLTS, OVERSAMPLE, 1)
    volts = lfilter(*_one_pole(HIGHPASS_HZ, rate, True), volts)
    volts = _stage(volts, ohms, float(rate))
    volts = lfilter(*_one_pole(TONE_HZ, rate, False), volts)
    return LEVEL * resample_poly(volts, 1, OVERSAMPLE)[: len(x)]


def knob_ohms(drive):
    """The feedback resistor as a knob: 20 kOhm at 0, 500 kOhm at 1, even steps by ear."""
    return 20_000.0 * 25.0 ** np.asarray(drive, np.float64)


def mid_drive(x):
    """Overdrive of the middle of two channels [2, T]; what differs between them stays clean."""
    middle, side = (x[0] + x[1]) / 2, (x[0] - x[1]) / 2
    driven = overdrive(middle)
    return np.stack([driven + side, driven - side])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", help="mono 16-bit WAV at 48 kHz")
    parser.add_argument("output", help="WAV to write")
    args = parser.parse_args()
    rate, x = wavfile.read(args.input)
    if rate != RATE or x.ndim != 1 or x.dtype != np.int16:
        parser.error("the input must be mono, 16-bit, 48 kHz")
    y = np.clip(overdrive(x / 32768.0), -1, 1)
    wavfile.write(args.output, RATE, np.round(y * 32767).astype(np.int16))


if __name__ == "__main__":
    main()
