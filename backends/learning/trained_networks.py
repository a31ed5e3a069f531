"""Networks taught here, on disk: safetensors with the card in its header, and where they lie.

The card says everything needed to build the network again and to judge it, so that a file
can be opened anywhere; the same card stands beside it as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import BadInput
from backends.io.writers.atomic import replacing, write_text

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "clearband image classifier 1"
KEY = "clearband"
NETWORK_FILE = "network.safetensors"
CARD_FILE = "network.json"
_NEEDED = ("architecture", "classes", "bands", "size", "mean", "std", "low", "high")
_LARGEST_HEADER = 64 << 20


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network that was taught here.

    Attributes
    ----------
    path : Path
        Its weights.
    card : mapping
    """

    path: Path
    card: Mapping[str, Any]

    @property
    def line(self) -> str:
        """For a list."""
        test = self.card.get("figures", {}).get("test") or {}
        said = ", ".join(
            f"{name} {100 * value:.1f} %"
            for name, value in (
                ("accuracy", test.get("accuracy")),
                ("macro F1", test.get("macro_f1")),
            )
            if value is not None
        )
        classes = ", ".join(self.card["classes"][:6])
        more = "" if len(self.card["classes"]) <= 6 else " …"
        return f"{self.card['title']}: {classes}{more}; {said or 'no test figures'}"


def save_network(weights: Mapping[str, Tensor], card: Mapping[str, Any], folder: Path) -> str:
    """Write weights and card into a folder; return the SHA-256 of the weights' file."""
    from safetensors.torch import save_file

    path = folder / NETWORK_FILE
    # Shared storage (tied weights) may not be saved twice: each name gets its own memory.
    plain = {n: v.detach().cpu().clone().contiguous() for n, v in weights.items()}
    header = json.dumps({"format": FORMAT, **card}, ensure_ascii=False)
    with replacing(path, folders=True) as inner:
        save_file(plain, inner, metadata={KEY: header})
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    told = {"format": FORMAT, **card, "weights": NETWORK_FILE, "weights_digest": digest}
    write_text(folder / CARD_FILE, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return digest


def read_card(path: Path) -> dict[str, Any] | None:
    """Return the card in the header of a file of weights; None where there is none of ours.

    Raises
    ------
    BadInput
        The file cannot be read, or its card is damaged.
    """
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(_LARGEST_HEADER, path.stat().st_size):
                return None
            values = json.loads(stream.read(length))
        text = values.get("__metadata__", {}).get(KEY)
        if text is None:
            return None
        card = json.loads(text)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read.", subject=path, details=repr(error)) from error
    except (ValueError, AttributeError, TypeError):
        return None
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        return None
    bands = card.get("bands")
    fits = (
        all(key in card for key in _NEEDED)
        and isinstance(bands, int)
        and all(len(card[key]) == bands for key in ("mean", "std", "low", "high"))
        and len(card["size"]) == 2
        and len(card["classes"]) >= 2
    )
    if not fits:
        raise BadInput(f"The card in {path.name} is damaged.", subject=path)
    return card


def open_network(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Build a network that was taught here and give it its weights.

    Raises
    ------
    BadInput
        Not such a file, or weights and card do not fit.
    """
    from backends.learning.architectures import architecture, build_network, read_tensors

    card = read_card(path)
    if card is None:
        raise BadInput(
            f"{path.name} is no network that Clearband taught.",
            subject=path,
            way_out="Choose a network.safetensors that 'clearband finetune' wrote.",
        )
    rows, cols = (int(side) for side in card["size"])
    network = build_network(
        architecture(str(card["architecture"])), len(card["classes"]), card["bands"], (rows, cols)
    )
    try:
        network.load_state_dict(read_tensors(path))
    except RuntimeError as error:
        raise BadInput(
            f"The weights in {path.name} do not fit its card.", subject=path, details=str(error)
        ) from error
    return network.eval(), card


def remember(path: Path) -> None:
    """Put a network on the list of those taught here."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{name}.json", json.dumps({"path": str(path.resolve())}))
    except OSError:
        return  # the network itself is written; only the list lacks it


def trained_networks() -> list[TrainedNetwork]:
    """Return the networks taught here that still exist, newest first."""
    found = []
    for note in _folder().glob("*.json"):
        try:
            path = Path(json.loads(note.read_text(encoding="utf-8"))["path"])
            card = read_card(path)
        except (OSError, ValueError, KeyError, TypeError, BadInput):
            continue
        if card is not None:
            found.append((path.stat().st_mtime, TrainedNetwork(path, card)))
    return [network for _, network in sorted(found, key=lambda item: -item[0])]


def _folder() -> Path:
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "networks"
    from platformdirs import user_data_path

    return user_data_path("clearband") / "networks"
