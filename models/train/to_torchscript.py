"""TorchScript: compiled from the networks' own source, run by PyTorch."""

import tempfile
import warnings
from pathlib import Path

import torch

from . import networks
from .paths import MODELS

ENDING = "pt"


def write(name):
    """Write models/<name>.pt."""
    path = MODELS / f"{name}.pt"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = Path(folder) / "whole.pt"
        torch.jit.script(networks.load(name)).save(str(whole))
        _copy(whole, path)
    return path


def _copy(whole, path):
    """Leave out what debuggers read: half of the file, and paths of this machine."""
    reader = torch._C.PyTorchFileReader(str(whole))
    # The folder inside the archive is called after the file, whose name ends in .pt.
    writer = torch._C.PyTorchFileWriter(str(path))
    for record in reader.get_all_records():
        written_anyway = record in ("version", "byteorder", ".data/serialization_id")
        if not record.endswith(".debug_pkl") and not written_anyway:
            data = reader.get_record(record)
            writer.write_record(record, data, len(data))
    writer.write_end_of_file()


def runner(name, path):
    """A function from a list of inputs to the list of outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(path))

    def run(inputs):
        with torch.no_grad():
            made = module(*(torch.from_numpy(x) for x in inputs))
        return [y.numpy() for y in (made if isinstance(made, tuple) else (made,))]

    return run
