"""Write anira-backend-custom/tests/files: small networks in other projects' JSON, with random weights, and what they answer.

    python -m train.small

The answers are computed here in double precision from the formulas in PyTorch's documentation; nothing but NumPy is needed.
"""

import json
from pathlib import Path

import numpy as np

FILES = Path(__file__).resolve().parents[2] / "anira-backend-custom" / "tests" / "files"
LENGTH = 600
SEED = 11


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def causal(x, weight, bias, dilation, rest):
    """[in, T] to [out, T]; weight [out, in, k]; before its start x was `rest` for ever. Also the output's own rest."""
    kernel = weight.shape[2]
    past = np.repeat(rest[:, None], (kernel - 1) * dilation, 1)
    whole = np.concatenate([past, x], 1)
    taps = [whole[:, k * dilation : k * dilation + x.shape[1]] for k in range(kernel)]
    made = sum(weight[:, :, k] @ tap for k, tap in enumerate(taps)) + bias[:, None]
    return made, weight.sum(2) @ rest + bias


def lstm(x, w, u, b, h, c):
    """Gates input, forget, cell, output."""
    n, made = len(h), []
    for row in x.T:
        g = w @ row + u @ h + b
        c = sigmoid(g[n : 2 * n]) * c + sigmoid(g[:n]) * np.tanh(g[2 * n : 3 * n])
        h = sigmoid(g[3 * n :]) * np.tanh(c)
        made.append(h)
    return np.array(made).T


def gru(x, w, u, bw, bu):
    """Gates update, reset, new, as Keras keeps them."""
    n = u.shape[1]
    h, made = np.zeros(n), []
    for row in x.T:
        a, b = w @ row + bw, u @ h + bu
        z, r = sigmoid(a[:n] + b[:n]), sigmoid(a[n : 2 * n] + b[n : 2 * n])
        h = z * h + (1 - z) * np.tanh(a[2 * n :] + r * b[2 * n :])
        made.append(h)
    return np.array(made).T


class Draw:
    """Random numbers that a float32 holds exactly, and a list of all that were drawn."""

    def __init__(self, rng):
        self.rng, self.all = rng, []

    def __call__(self, *shape, scale=1.0):
        numbers = (scale * self.rng.uniform(-1, 1, shape)).astype(np.float32).astype(float)
        self.all.extend(numbers.ravel().tolist())
        return numbers


def nam_lstm(rng, x, hidden=7, layers=2):
    draw, signal = Draw(rng), x
    for layer in range(layers):
        inputs = 1 if layer == 0 else hidden
        both = draw(4 * hidden, inputs + hidden, scale=0.6)
        bias, h, c = draw(4 * hidden, scale=0.4), draw(hidden, scale=0.3), draw(hidden, scale=0.3)
        signal = lstm(signal, both[:, :inputs], both[:, inputs:], bias, h, c)
    head, bias = draw(hidden), draw(1, scale=0.1)
    config = {"input_size": 1, "hidden_size": hidden, "num_layers": layers}
    return "LSTM", config, draw.all, head @ signal + bias


def nam_wavenet(rng, x, gated):
    draw = Draw(rng)
    stacks = [
        {"input_size": 1, "channels": 6, "head_size": 3, "dilations": [1, 2, 4, 8], "head_bias": False},
        {"input_size": 6, "channels": 3, "head_size": 1, "dilations": [8, 16, 3], "head_bias": True},
    ]
    signal, rest, head = x, np.zeros(1), None
    for stack in stacks:
        stack |= {"condition_size": 1, "kernel_size": 3, "activation": "Tanh", "gated": gated}
        n = stack["channels"]
        wide = 2 * n if gated else n
        own = draw(n, stack["input_size"], scale=0.8)
        signal, rest = own @ signal, own @ rest
        for dilation in stack["dilations"]:
            weight, bias = draw(wide, n, 3, scale=0.5), draw(wide, scale=0.2)
            mixin, out, out_bias = draw(wide, 1), draw(n, n, scale=0.4), draw(n, scale=0.1)
            z, z_rest = causal(signal, weight, bias, dilation, rest)
            z = z + mixin @ x  # of silence nothing is mixed in
            if gated:
                z = np.tanh(z[:n]) * sigmoid(z[n:])
                z_rest = np.tanh(z_rest[:n]) * sigmoid(z_rest[n:])
            else:
                z, z_rest = np.tanh(z), np.tanh(z_rest)
            head = z if head is None else head + z
            signal, rest = signal + out @ z + out_bias[:, None], rest + out @ z_rest + out_bias
        own = draw(stack["head_size"], n)
        head = own @ head
        if stack["head_bias"]:
            head = head + draw(1, scale=0.1)[:, None]
    scale = draw(1)
    return "WaveNet", {"layers": stacks, "head": None, "head_scale": scale[0]}, draw.all, scale * head[0]


def rtneural_recurrent(rng, x, kind):
    draw, n = Draw(rng), 5
    gates = {"lstm": 4, "gru": 3}[kind]
    dense, dense_bias = draw(3, 1), draw(3, scale=0.2)
    w, u = draw(gates * n, 3, scale=0.7), draw(gates * n, n, scale=0.5)
    first = np.maximum(dense @ x + dense_bias[:, None], 0)
    if kind == "lstm":
        bias = draw(4 * n, scale=0.4)
        signal, biases = lstm(first, w, u, bias, np.zeros(n), np.zeros(n)), bias.tolist()
    else:
        bw, bu = draw(3 * n, scale=0.4), draw(3 * n, scale=0.4)
        signal, biases = gru(first, w, u, bw, bu), [bw.tolist(), bu.tolist()]
    head, head_bias = draw(1, n), draw(1, scale=0.1)
    layers = [
        {
            "type": "dense",
            "activation": "relu",
            "shape": [None, None, 3],
            "weights": [dense.T.tolist(), dense_bias.tolist()],
        },
        {"type": kind, "activation": "", "shape": [None, None, n], "weights": [w.T.tolist(), u.T.tolist(), biases]},
        {
            "type": "time-distributed-dense",
            "activation": "",
            "shape": [None, None, 1],
            "weights": [head.T.tolist(), head_bias.tolist()],
        },
    ]
    return {"in_shape": [None, None, 1], "layers": layers}, (head @ signal + head_bias[:, None])[0]


def rtneural_convolutions(rng, x):
    draw, layers = Draw(rng), []
    signal, rest = x, np.zeros(1)
    for outputs, kernel, dilation, activation in [(4, 3, 1, "tanh"), (9, 2, 5, ""), (1, 4, 3, "")]:
        weight, bias = draw(outputs, len(signal), kernel, scale=0.5), draw(outputs, scale=0.2)
        signal, rest = causal(signal, weight, bias, dilation, rest)
        layer = {"type": "conv1d", "activation": activation, "shape": [None, None, outputs]}
        layer |= {"kernel_size": [kernel], "dilation": [dilation], "groups": 1}
        layers.append(layer | {"weights": [weight.transpose(2, 1, 0).tolist(), bias.tolist()]})
        if activation:
            signal, rest = np.tanh(signal), np.tanh(rest)
        if outputs == 9:
            slopes = draw(outputs)
            layers.append({"type": "prelu", "shape": [None, None, 9], "weights": [[slopes.tolist()]]})
            signal = np.where(signal < 0, slopes[:, None] * signal, signal)
            rest = np.where(rest < 0, slopes * rest, rest)
            gamma, beta, mean = draw(outputs), draw(outputs, scale=0.3), draw(outputs, scale=0.3)
            variance = np.abs(draw(outputs)) + 0.5
            variance = variance.astype(np.float32).astype(float)
            numbers = [gamma.tolist(), beta.tolist(), mean.tolist(), variance.tolist()]
            shape = {"shape": [None, None, 9], "epsilon": 0.001}
            layers.append({"type": "batchnorm", "weights": numbers} | shape)
            scale = gamma / np.sqrt(variance + 0.001)
            signal = (signal - mean[:, None]) * scale[:, None] + beta[:, None]
            rest = (rest - mean) * scale + beta
    return {"in_shape": [None, None, 1], "layers": layers}, signal[0]


def write(name, document, answer):
    (FILES / name).write_text(json.dumps(document))
    stem = FILES / name.split(".")[0]
    np.save(stem.with_suffix(".npy"), np.ascontiguousarray(answer, np.float32))
    print(f"{name}: peak {np.abs(answer).max():.3f}")


def main():
    FILES.mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED)
    x = rng.uniform(-1, 1, (1, LENGTH)).astype(np.float32).astype(float)
    np.save(FILES / "input.npy", x[0].astype(np.float32))
    for name, made in [
        ("lstm.nam", nam_lstm(rng, x)),
        ("wavenet.nam", nam_wavenet(rng, x, False)),
        ("wavenet-gated.nam", nam_wavenet(rng, x, True)),
    ]:
        architecture, config, weights, answer = made
        document = {"version": "0.5.4", "architecture": architecture, "config": config}
        write(name, document | {"weights": weights, "sample_rate": 48000}, answer)
    for kind in ["lstm", "gru"]:
        write(f"rtneural-{kind}.json", *rtneural_recurrent(rng, x, kind))
    write("rtneural-conv.json", *rtneural_convolutions(rng, x))


if __name__ == "__main__":
    main()
