"""Trained networks on disk: safetensors, with everything needed to use them in its header."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import BadInput
from backends.hyperspectral.es_mhc import EsMhc, NetworkSettings
from backends.hyperspectral.groups import BandGroups
from backends.hyperspectral.normalise import BandStretch
from backends.io.writers.atomic import write_bytes

FORMAT = "clearband es_mhc 1"
LARGEST = 1 << 30


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network and how to feed it.

    Attributes
    ----------
    network : EsMhc
    groups : BandGroups
    stretch : BandStretch
    class_names : dict of int to str
        Label value of each output, in order.
    facts : dict
        What it was trained on, settings, figures.
    digest : str
        SHA-256 of the file; empty before it is saved.
    """

    network: EsMhc
    groups: BandGroups
    stretch: BandStretch
    class_names: dict[int, str]
    facts: dict[str, Any]
    digest: str = ""


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> str:
    """Write a checkpoint whole or not at all, and return its digest."""
    from safetensors.torch import save

    about = {
        "format": FORMAT,
        "settings": checkpoint.network.settings.to_dict(),
        "groups": {
            "names": list(checkpoint.groups.names),
            "members": [m.tolist() for m in checkpoint.groups.members],
            "note": checkpoint.groups.note,
        },
        "class_names": {str(v): n for v, n in checkpoint.class_names.items()},
        "wavelength_nm": None
        if checkpoint.stretch.wavelength_nm is None
        else checkpoint.stretch.wavelength_nm.tolist(),
        "facts": checkpoint.facts,
    }
    tensors = {k: v.detach().cpu().contiguous() for k, v in checkpoint.network.state_dict().items()}
    import torch

    tensors["stretch.bands"] = torch.from_numpy(checkpoint.stretch.bands)
    tensors["stretch.low"] = torch.from_numpy(checkpoint.stretch.low)
    tensors["stretch.high"] = torch.from_numpy(checkpoint.stretch.high)
    content = save(tensors, metadata={"clearband": json.dumps(about)})
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    BadInput
        Not one of ours, damaged, or of another version.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    wrong = BadInput(
        f"{path.name} is no es_mhc checkpoint.",
        subject=path,
        way_out="Choose a .safetensors file that 'clearband classify' wrote.",
    )
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise wrong
    content = path.read_bytes()
    try:
        with safe_open(str(path), "pt") as opened:
            about = json.loads((opened.metadata() or {}).get("clearband", "{}"))
        tensors = load(content)
        if about.get("format") != FORMAT:
            raise wrong
        known = {f.name for f in fields(NetworkSettings)}
        settings = NetworkSettings(**{k: v for k, v in about["settings"].items() if k in known})
        members = tuple(np.asarray(m, np.int64) for m in about["groups"]["members"])
        groups = BandGroups(tuple(about["groups"]["names"]), members, about["groups"]["note"])
        nm = about["wavelength_nm"]
        stretch = BandStretch(
            tensors.pop("stretch.bands").numpy(),
            tensors.pop("stretch.low").numpy(),
            tensors.pop("stretch.high").numpy(),
            None if nm is None else np.asarray(nm, float),
        )
        names = {int(v): str(n) for v, n in about["class_names"].items()}
        network = EsMhc(groups, len(names), settings)
        network.load_state_dict(tensors)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
        wrong.details = repr(error)
        raise wrong from error
    network.eval()
    digest = hashlib.sha256(content).hexdigest()
    return Checkpoint(network, groups, stretch, names, dict(about.get("facts", {})), digest)
