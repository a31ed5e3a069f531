"""A training in the middle, on disk, from which it goes on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import BadInput
from backends.io.writers.atomic import replacing
from backends.learning.training_plan import EpochFigures, ImageCurve

if TYPE_CHECKING:
    from backends.learning.image_training import TrainingState

CHECKPOINT_FILE = "training.safetensors"
_FORMAT = "clearband training 1"


def save_state(
    state: TrainingState, identity: str, folder: Path, words: Sequence[str] = ()
) -> None:
    """Replace the checkpoint of a training.

    Parameters
    ----------
    identity : str
        Of the training: same data, split and settings, same identity.
    words : sequence of str
        The command line that asked for it.
    """
    from safetensors.torch import save_file
    from torch import Tensor

    arrays = {f"network.{name}": value for name, value in state.network.items()}
    arrays |= {f"best.{name}": value for name, value in (state.best or {}).items()}
    numbers: dict[str, dict[str, Any]] = {}
    for number, kept in state.optimiser["state"].items():
        for name, value in kept.items():
            if isinstance(value, Tensor):
                arrays[f"optimiser.{number}.{name}"] = value
            else:
                numbers.setdefault(str(number), {})[name] = value
    about = {
        "format": _FORMAT,
        "identity": identity,
        "words": list(words),
        "epoch": state.epoch,
        "curve": {**state.curve.to_dict(), "loss": list(state.curve.loss)},
        "best_f1": state.best_f1,
        "groups": state.optimiser["param_groups"],
        "numbers": numbers,
        "scaler": state.scaler,
    }
    plain = {n: v.detach().cpu().clone().contiguous() for n, v in arrays.items()}
    with replacing(folder / CHECKPOINT_FILE, folders=True) as inner:
        save_file(plain, inner, metadata={"clearband": json.dumps(about)})


def load_state(folder: Path, identity: str) -> TrainingState | None:
    """Return the state of a training; None where there is none.

    Raises
    ------
    BadInput
        It is damaged, or that of another training.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    from backends.learning.image_training import TrainingState

    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["clearband"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about["format"] != _FORMAT:
            raise ValueError(about["format"])
        kept: dict[int, dict[str, Any]] = {}
        for name, value in arrays.items():
            if name.startswith("optimiser."):
                _, number, what = name.split(".", 2)
                kept.setdefault(int(number), {})[what] = value
        for number, values in about["numbers"].items():
            kept.setdefault(int(number), {}).update(values)
        curve = about["curve"]
        best = {n[5:]: v for n, v in arrays.items() if n.startswith("best.")}
        state = TrainingState(
            int(about["epoch"]),
            {n[8:]: v for n, v in arrays.items() if n.startswith("network.")},
            {"state": kept, "param_groups": about["groups"]},
            ImageCurve(
                int(curve["epochs"]),
                int(curve["steps_per_epoch"]),
                tuple(curve["loss"]),
                tuple(EpochFigures(**figures) for figures in curve["done"]),
                int(curve["best_epoch"]),
            ),
            best or None,
            float(about["best_f1"]),
            dict(about["scaler"]),
        )
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise BadInput(
            f"The checkpoint {path.name} is damaged.",
            subject=path,
            way_out="Delete it to begin the training anew.",
            details=repr(error),
        ) from error
    if about["identity"] != identity:
        raise BadInput(
            "The checkpoint in that folder is of another training: other images, split or "
            "settings.",
            subject=path,
            way_out="Choose another folder, or leave resuming out to begin anew.",
        )
    return state


def checkpoint_words(folder: Path) -> list[str] | None:
    """Return the command line of the training whose checkpoint lies in a folder, if one does."""
    try:
        with (folder / CHECKPOINT_FILE).open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, 64 << 20)))
        return [str(word) for word in json.loads(header["__metadata__"]["clearband"])["words"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_state(folder: Path) -> None:
    """Delete the checkpoint of a training that came to its end."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
