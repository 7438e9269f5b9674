"""Write the references beside this script: what others' models answer in the runtimes that they were published for.

    cargo xtask native --models
    python make.py

Written with onnxruntime 1.31.1, ai-edge-litert 2.1.4, torch 2.13.0, numpy 2.4 on x86-64. The inputs are computed by sums,
products and divisions of float64 alone, each rounded once, so the tests compute the same ones.
"""

import pathlib

import numpy as np
import onnxruntime
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).parent
MODELS = HERE / "../../.native/models"


def voice(frames: int) -> np.ndarray:
    """Something like a vowel that comes and goes: pulses through two resonances, 16 kHz."""
    out, phase = np.zeros(frames, np.float32), 0.0
    a1, a2, b1, b2 = 0.0, 0.0, 0.0, 0.0
    for n in range(frames):
        phase += 0.0075
        pulse = 0.0
        if phase >= 1.0:
            phase -= 1.0
            pulse = 1.0 if n // 3000 % 3 != 2 else 0.0
        a = pulse + 1.85 * a1 - 0.93 * a2
        b = a + 1.5 * b1 - 0.9 * b2
        a1, a2, b1, b2 = a, a1, b, b1
        out[n] = 0.02 * b
    return out


def chord(frames: int) -> np.ndarray:
    """Three saws, one after the other joining in."""
    out = np.zeros(frames, np.float32)
    for n in range(frames):
        y = 0.0
        for start, period in ((0, 100), (12000, 80), (25000, 67)):
            if n >= start:
                y += 0.25 * (n % period / period - 0.5)
        out[n] = y
    return out


def pattern(count: int, step: int, peak: float) -> np.ndarray:
    """A lattice of values from 0 to `peak`."""
    return np.array([(n * step % 97) / 97.0 * peak for n in range(count)], np.float32)


def features(hop: int) -> np.ndarray:
    """Three frames of 40 features that rise over time; chosen because the wake word's model wakes up at them."""
    return np.array([(f % 40 * 5 + (f // 40 + 3 * hop) * 4) % 97 / 97.0 * 26.0 + 3.0 for f in range(120)], np.float32)


def save(name: str, values) -> None:
    values = np.asarray(values, np.float32)
    np.save(HERE / f"{name}.npy", values)
    print(f"{name}: {values.shape}, from {values.min():.6f} to {values.max():.6f}")


def silero_onnx(rate: int) -> None:
    hop, context = rate // 16000 * 256 + 256, rate // 8000 * 32
    session = onnxruntime.InferenceSession(MODELS / "silero-vad/silero_vad.onnx")
    sound, state, said = voice(24 * hop), np.zeros((2, 1, 128), np.float32), []
    padded = np.concatenate([np.zeros(context, np.float32), sound])
    for k in range(24):
        x = padded[None, k * hop : (k + 1) * hop + context]
        output, state = session.run(None, {"input": x, "state": state, "sr": np.array(rate)})
        said.append(output[0, 0])
    save(f"silero-{rate}-probabilities", said)
    save(f"silero-{rate}-state", state.reshape(-1))


def silero_torch() -> None:
    module = torch.jit.load(MODELS / "silero-vad/silero_vad.jit")
    sound = torch.from_numpy(voice(24 * 512))
    with torch.no_grad():
        save("silero-torch-probabilities", [module(x[None], 16000).item() for x in sound.split(512)])


def basic_pitch() -> None:
    session = onnxruntime.InferenceSession(MODELS / "basic-pitch/nmp.onnx")
    x = chord(43844).reshape(1, -1, 1)
    outputs = session.run(None, {"serving_default_input_2:0": x})
    for name, output in zip([o.name for o in session.get_outputs()], outputs):
        save("basic-pitch-" + name[-1], output[0, ::32])


def tflite(path: str, rows) -> list:
    """What a quantised model answers to these rows, as real numbers: by the reference kernels,
    which round as the format says; faster ones are a step of 8 bits apart here and there."""
    kernels = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(str(MODELS / path), experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    said = []
    for row in rows:
        scale, zero = source["quantization"]
        whole = np.clip(np.round(row / np.float32(scale)) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], whole.reshape(source["shape"]))
        interpreter.invoke()
        scale, zero = target["quantization"]
        answer = interpreter.get_tensor(target["index"]).astype(np.int32)
        said.append((answer - zero).astype(np.float32) * np.float32(scale))
    return said


def main() -> None:
    silero_onnx(16000)
    silero_onnx(8000)
    silero_torch()
    basic_pitch()
    save("speech", [a[0] for a in tflite("microflow/speech.tflite", [pattern(1960, s, 25.9) for s in (1, 5, 31, 40)])])
    said = tflite("pymicro-wakeword/hey_mycroft.tflite", [features(k) for k in range(40)])
    save("hey-mycroft", [a[0, 0] for a in said])


main()
