"""The networks that can be chosen to be explained: taught here, spectral, published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import resources
from backends.hyperspectral.checkpoints import FORMAT
from backends.registry import card as card_of
from backends.registry import cards, is_network

TAUGHT, SPECTRAL, PUBLISHED, FILE = "taught", "spectral", "published", "file"
NAMED = "named"


@dataclass(frozen=True)
class ModelChoice:
    """A network on the list.

    Attributes
    ----------
    title : str
    kind : str
        ``"taught"``, ``"spectral"``, ``"published"``, ``"file"`` or ``"named"``.
    model : str
        Name for `shelf.load`; empty where the weights say it.
    weights : Path or None
    here : bool
        Whether its weights are on this machine.
    about : str
        What it was trained on, in words.
    """

    title: str
    kind: str
    model: str = ""
    weights: Path | None = None
    here: bool = True
    about: str = ""


def model_choices() -> list[ModelChoice]:
    """Return what can be chosen, what is ready first. Imports the libraries; reads no weights."""
    from backends.explain import published, shelf
    from backends.learning.trained_networks import trained_networks

    found = [
        ModelChoice(
            str(one.card["title"]), TAUGHT, "", one.path, True,
            f"Taught here: {one.line}",
        )
        for one in trained_networks()
    ]  # fmt: skip
    for card in cards():
        if card.is_trained and is_network(card.id):
            path = resources.path("weights", card.weights)
            found.append(
                ModelChoice(
                    card.title, SPECTRAL, "", path, True,
                    f"Classifies the pixels of a scene; trained on: {card.trained_on}",
                )
            )  # fmt: skip
    entries = []
    for entry in shelf.entries():
        here = published.cached(entry.blueprint)
        # Some are only known by their files of weights.
        if here is None and entry.library not in ("timm", "torchvision"):
            continue
        about = "Published weights, trained on ImageNet photographs (1,000 classes)"
        entries.append(ModelChoice(entry.title, PUBLISHED, entry.id, None, here is not None, about))
    return found + sorted(entries, key=lambda choice: not choice.here)


def of_file(path: str | Path) -> ModelChoice:
    """Return the choice of a file of weights."""
    path = Path(path)
    about = "The network is recognised by its weights"
    name = path.parent.name if _in_own_folder(path) else path.name
    if _reads_pixels(path):
        return ModelChoice(name, SPECTRAL, "", path, True, "Trained here; classifies pixels")
    return ModelChoice(name, FILE, "", path, True, about)


def by_name(name: str) -> ModelChoice:
    """Return the choice of any network of the libraries; whether there is one, its reading says."""
    name = name.strip()
    about = "By its name; its weights are those of its library, which has to be asked for them"
    return ModelChoice(name, NAMED, name, None, False, about)


def _in_own_folder(path: Path) -> bool:
    """Tell whether the folder, not the file, has the network's name."""
    from backends.explain.transformers_hub import WEIGHTS, is_folder

    return path.name == "network.safetensors" or (path.name == WEIGHTS and is_folder(path.parent))


def _reads_pixels(path: Path) -> bool:
    """Tell whether a file holds a classifier of pixels; its head says so."""
    try:
        with path.open("rb") as stream:
            return FORMAT.encode() in stream.read(1 << 16)
    except OSError:
        return False


def of_saved(path: Path, model_id: str) -> ModelChoice:
    """Return the choice of a classifier of pixels that was trained and saved here."""
    title = f"{card_of(model_id).title} · {path.stem}"
    return ModelChoice(title, SPECTRAL, "", path, True, "Trained here; classifies pixels")
