"""Classifiers of images and of pixels of the transformers library; it is no dependency."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from pathlib import Path
from typing import Any

from backends.errors import BadInput, MissingCapability
from backends.explain.classifier import Card, ImageClassifier, InputSpec

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# What the hub answers where there is no such network, or it is not for everybody.
_NOT_THERE = ("RepositoryNotFoundError", "RemoteEntryNotFoundError", "GatedRepoError",
              "HFValidationError")  # fmt: skip
# What most of its networks for photographs were trained with.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def is_folder(path: Path) -> bool:
    """Tell whether a folder holds a network as the library saves it."""
    try:
        found = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "model_type" in found


def open_transformers(name: str, *, fetch: bool = False, device: str = "cpu") -> ImageClassifier:
    """Open a classifier or a segmenter by its name on the hub, or from a folder.

    Parameters
    ----------
    name : str
    fetch : bool
        Download it; else it has to be in the library's cache.

    Raises
    ------
    MissingCapability
        The library is not installed, or the network is not here and could not be fetched.
    BadInput
        It neither classifies images nor pixels; its file is not the one that was published.
    """
    try:
        library: Any = importlib.import_module("transformers")
    except ImportError as error:
        raise MissingCapability(
            "Networks of the transformers library need that library, which is not installed.",
            way_out="Install it with: uv pip install 'clearband[hub]'; or take one of timm.",
        ) from error
    network, pixelwise, here = _opened(library, name, fetch)
    notes: list[str] = []
    spec = _spec(library, name, here, network.config, notes)
    count = int(network.config.num_labels)
    names = tuple(str(network.config.id2label[i]) for i in range(count))
    folder = Path(name).expanduser()
    title = folder.name if folder.is_dir() else name
    digest = _digest(name, title)
    if not digest:
        notes.append("The library hands out no checksum of its weights.")
    card = Card(
        title, title, f"transformers, {title}", f"as published: {title}", digest,
        notes=tuple(notes),
    )  # fmt: skip
    return ImageClassifier(network, names, spec, card, pixelwise=pixelwise, device=device)


def _opened(library: Any, name: str, fetch: bool) -> tuple[Any, bool, bool]:
    """Return the network, whether it classifies pixels, and whether it was here already."""
    try:  # what is here needs no network, also when fetching was allowed
        return *_load(library, name, here=True), True
    except (OSError, ValueError) as error:
        if (folder := Path(name).expanduser()).is_dir():
            raise BadInput(
                f"The network in {folder.name} cannot be read.",
                subject=folder,
                way_out="Save it again, with its weights as safetensors.",
                details=repr(error),
            ) from error
        if not fetch:
            raise _missing(name, "Ask to fetch it.", error) from error
    _reach(name)
    try:
        return *_load(library, name, here=False), False
    except (OSError, ValueError) as error:
        raise _missing(name, "Check the name and the network.", error, tried=True) from error


def _load(library: Any, name: str, *, here: bool) -> tuple[Any, bool]:
    """Return the network, and whether it classifies pixels: its own description says so."""
    only: dict[str, Any] = {"local_files_only": here}
    title = Path(name).name if Path(name).expanduser().is_dir() else name
    described = library.AutoConfig.from_pretrained(name, **only)
    made = [str(one) for one in getattr(described, "architectures", None) or ()]
    pixelwise = any("SemanticSegmentation" in one for one in made)
    if made and not pixelwise and not any("ImageClassification" in one for one in made):
        raise BadInput(
            f"{title} is a {made[0]}, which names neither an image's class nor each pixel's.",
            way_out="Choose a network for image classification or semantic segmentation.",
        )
    kind = "SemanticSegmentation" if pixelwise else "ImageClassification"
    opener = getattr(library, f"AutoModelFor{kind}")
    try:
        network, told = opener.from_pretrained(
            name, use_safetensors=True, output_loading_info=True, **only
        )
    except (OSError, ValueError):
        raise
    except Exception as error:  # safetensors has a kind of its own; sizes that do not fit
        raise BadInput(
            f"The weights of {title} are damaged or those of another network.",
            way_out="Save or fetch them again.",
            details=repr(error),
        ) from error
    if told["missing_keys"]:  # the library would make these up
        raise BadInput(
            f"The weights of {title} are those of another network: "
            f"{len(told['missing_keys'])} parts are missing.",
            way_out="Take the folder with its own config.json and weights.",
            details=", ".join(sorted(told["missing_keys"])[:20]),
        )
    return network, pixelwise


def _spec(library: Any, name: str, here: bool, config: Any, notes: list[str]) -> InputSpec:
    """Return the input a network wants, as its own description says."""
    try:
        how = library.AutoImageProcessor.from_pretrained(name, local_files_only=here)
    except (OSError, ValueError):
        notes.append("How its input is scaled is not told; it is scaled as for ImageNet.")
        side = getattr(config, "image_size", None) or 224
        both = (side, side) if isinstance(side, int) else (int(side[0]), int(side[1]))
        return InputSpec(both, mean=_MEAN, std=_STD, fixed=True)
    size = how.size
    both = (size.get("height"), size.get("width"))
    if not all(both):
        side = int(size.get("shortest_edge") or 224)
        both = (side, side)
    return InputSpec(
        (int(both[0]), int(both[1])),
        mean=tuple(map(float, how.image_mean)),
        std=tuple(map(float, how.image_std)),
        fixed=True,  # what other sizes it takes differs from network to network
    )


def _reach(name: str) -> None:
    """Ask the hub once, with little patience: the library itself would try again and again."""
    import huggingface_hub

    from backends.downloads import PATIENCE_S, unreachable

    try:
        url = huggingface_hub.hf_hub_url(name, CONFIG)
        huggingface_hub.get_hf_file_metadata(url, timeout=PATIENCE_S)
    except Exception as error:  # whichever library it uses to talk, this is all it means
        if type(error).__name__ in _NOT_THERE:
            raise _missing(name, "Check the name.", error, tried=True) from error
        raise unreachable(name, error) from error


def _missing(
    name: str, way_out: str, error: Exception, *, tried: bool = False
) -> MissingCapability:
    return MissingCapability(
        f"{name} is not here" + (", and could not be fetched." if tried else "."),
        way_out=way_out,
        details=repr(error),
    )


def _digest(name: str, title: str) -> str:
    """Return the SHA-256 of the weights; empty where they lie in several files.

    In the hub's cache a large file is named by the checksum that was published.

    Raises
    ------
    BadInput
        The two differ.
    """
    import huggingface_hub

    path = Path(name).expanduser() / WEIGHTS
    if not path.is_file():
        try:
            found = huggingface_hub.try_to_load_from_cache(name, WEIGHTS)
        except ValueError:  # no name of the hub
            return ""
        if not isinstance(found, str):
            return ""
        path = Path(found)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    published = path.resolve().name
    if re.fullmatch("[0-9a-f]{64}", published) and published != digest:
        raise BadInput(
            f"The weights of {title} on this machine are not those that were published.",
            subject=path,
            way_out="Delete them from the cache and fetch them again.",
        )
    return digest
