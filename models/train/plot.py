"""Draw a loss curve as a small SVG."""

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "anira"})

import matplotlib.pyplot as plt  # noqa: E402

from .paths import MODELS  # noqa: E402


def plot_loss(name, rows):
    """Write models/<name>.loss.svg from rows (seconds, updates, loss, held-out ESR)."""
    seconds, _, loss, held_out = zip(*rows)
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    axes.semilogy(seconds, loss, label="training loss")
    axes.semilogy(seconds, held_out, label="held-out ESR")
    axes.set(title=name, xlabel="seconds of training")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(MODELS / f"{name}.loss.svg", metadata={"Date": None})
    plt.close(figure)
