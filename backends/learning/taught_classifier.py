"""A network that was taught here, as the classifier that explanations and studies work on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from backends.errors import BadInput
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.learning.architectures import architecture
from backends.learning.trained_networks import NETWORK_FILE, open_network


def open_taught(path: str | Path, *, device: str = "cpu") -> ImageClassifier:
    """Open a network that `finetune` wrote.

    Its input is brought to it as in the training: the whole image scaled to the size it was
    taught with, each way by itself (``fit="stretch"``), values clipped to the range it knows.

    Parameters
    ----------
    path : path
        ``network.safetensors``, or the folder that holds it.
    device : str

    Raises
    ------
    BadInput
        Not such a file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        path = path / NETWORK_FILE
    if not path.is_file():
        raise BadInput(f"{path.name} does not exist.", subject=path)
    network, card = open_network(path)
    kind = architecture(str(card["architecture"]))
    low, high = tuple(map(float, card["low"])), tuple(map(float, card["high"]))
    # One pair for all bands where they agree: 8-bit pictures are known by theirs.
    one = len(set(low)) == 1 and len(set(high)) == 1
    rows, cols = (int(side) for side in card["size"])
    spec = InputSpec(
        size=(rows, cols),
        bands=int(card["bands"]),
        mean=tuple(map(float, card["mean"])),
        std=tuple(map(float, card["std"])),
        value_range=(low[0], high[0]) if one else (low, high),
        # A transformer's table of positions is that of one size.
        fixed=kind.multiple > 1 and kind.library == "timm",
        multiple=kind.multiple,
        clip=(0.0, 1.0),
        fit=str(card["fit"]),
    )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    test = card["figures"]["test"]
    return ImageClassifier(
        network,
        tuple(map(str, card["classes"])),
        spec,
        Card(
            id=path.parent.name,
            title=str(card["title"]),
            source=f"taught with clearband finetune, {card['architecture']}",
            trained_on=str(card["trained_on"]),
            weights_digest=digest,
            notes=tuple(map(str, card["notes"])),
            figures={key: test[key] for key in ("accuracy", "macro_f1", "macro_auc", "images")},
        ),
        device=device,
    )
