"""The shelf of classifiers: by name, from a file, published on request, or trained here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

import resources
from backends.errors import BadInput, MissingCapability, WrongUse
from backends.explain import building, published
from backends.explain.building import Blueprint
from backends.explain.classifier import Card, ImageClassifier, InputSpec
from backends.jobs import Progress

_WRAPPERS = ("module.", "_orig_mod.", "model.", "network.")


@dataclass(frozen=True)
class Entry:
    """A named classifier.

    Attributes
    ----------
    id, title : str
    library, name : str
        Who builds it.
    study : bool
        One of the five that arXiv 2601.12826 compares.
    """

    id: str
    title: str
    library: str
    name: str
    study: bool = False

    @property
    def blueprint(self) -> Blueprint:
        """How it is built."""
        return Blueprint(self.library, self.name)


@dataclass(frozen=True)
class KnownFile:
    """What is known of a file of weights, by its checksum.

    Attributes
    ----------
    entry : str
        The classifier it belongs to.
    classes : str
        Name of a list of classes.
    mean, std : sequences of float
        The input it was trained with.
    """

    entry: str
    trained_on: str
    classes: str
    source: str
    mean: Sequence[float]
    std: Sequence[float]
    licence: str = ""
    notes: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


def entries() -> tuple[Entry, ...]:
    """Return the named classifiers, those of the study first."""
    return tuple(Entry(**values) for values in _facts()["entries"])


def known_files() -> dict[str, KnownFile]:
    """Return what is known of files of weights, by SHA-256."""
    return {digest: KnownFile(**values) for digest, values in _facts()["files"].items()}


def load(
    model: str = "",
    weights: str | Path | None = None,
    *,
    classes: str | Path | Sequence[str] | None = None,
    bands: int | None = None,
    fetch: bool = False,
    untrained: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> ImageClassifier:
    """Take a classifier from the shelf.

    Parameters
    ----------
    model : str
        Id of an entry, ``timm:NAME``, ``torchvision:NAME``, any name of theirs,
        ``transformers:NAME``, or a file of weights. Empty: found by the weights.
    weights : path, optional
        safetensors or a PyTorch file of plain tensors; a network taught here; a checkpoint
        of a spectral network; a folder that transformers saved. Default: published weights,
        where they were fetched before.
    classes : path or sequence of str, optional
        Names of the classes, a file with one a line.
    bands : int, optional
        Another number of bands than the weights have: the first layer is adapted.
    fetch : bool
        Download published weights.
    untrained : bool
        Take random weights where there are none.
    device : str

    Raises
    ------
    WrongUse
        No such network.
    BadInput
        Weights of another network, or damaged; names that do not fit.
    MissingCapability
        There are no weights here, or they could not be fetched.
    """
    path = None if weights is None else Path(weights).expanduser()
    if path is None and _is_place(model):
        path, model = Path(model).expanduser(), ""
    if path is not None:
        ours = _made_here(path, device)
        if ours is not None:
            return ours
    entry = next((e for e in entries() if e.id == model), None)
    plan = None if not model else entry.blueprint if entry else building.blueprint(model)
    if model and plan is None:
        raise WrongUse(f"There is no network called {model}.", way_out=_like(model))
    if plan is None and path is None:
        raise WrongUse(
            "Name a network or give a file of weights.", way_out=f"Known by name: {_ids()}."
        )
    title = entry.title if entry else plan.title if plan else ""
    if path is None and plan is not None and plan.library == "transformers":
        from backends.explain.transformers_hub import open_transformers

        return open_transformers(plan.name, fetch=fetch, device=device)
    if path is None and plan is not None:
        path = published.fetch(plan, title, progress) if fetch else published.cached(plan)
        if path is None:
            return _without_weights(plan, title, classes, bands, untrained, device)
    assert path is not None
    if plan is not None and plan.library == "transformers":
        raise WrongUse(
            "Networks of the transformers library come with their own weights.",
            way_out="Leave the file of weights out.",
        )
    return _from_file(path, plan, title, classes, bands, device)


def _from_file(
    path: Path,
    plan: Blueprint | None,
    title: str,
    classes: str | Path | Sequence[str] | None,
    bands: int | None,
    device: str,
) -> ImageClassifier:
    from backends.learning.architectures import read_tensors

    tensors = _unwrapped(read_tensors(path))
    if not tensors:
        raise BadInput(f"{path.name} holds no weights.", subject=path)
    digest = _digest(path)
    known = known_files().get(digest)
    by_id = {e.id: e for e in entries()}
    if plan is None:
        if known is not None:
            plan, title = by_id[known.entry].blueprint, by_id[known.entry].title
        else:
            plan = building.recognise(tensors, _candidates(), path)
            title = next((e.title for e in entries() if e.blueprint == plan), plan.title)
    network, has = building.with_weights(plan, tensors, path, title)
    spec = replace(building.spec_of(plan, network), bands=has)
    count = _class_count(network, title)
    notes: list[str] = []
    if known is not None:
        spec = replace(spec, mean=tuple(known.mean), std=tuple(known.std))
        card = Card(
            _id_of(plan), title, known.source, known.trained_on, digest, known.licence,
            tuple(known.notes), known.figures,
        )  # fmt: skip
    else:
        here = published.cached(plan)
        is_published = here is not None and here == path
        source = f"published weights of {plan.title}" if is_published else f"weights {path.name}"
        trained_on = "ImageNet-1k" if is_published and count == 1000 else f"unknown ({path.name})"
        if not is_published:
            notes.append(
                "Scaling of the input is that of the library's own weights; these may differ."
            )
        card = Card(_id_of(plan), title, source, trained_on, digest)
    if has != 3 or (bands is not None and bands != has):
        wanted = bands or has
        if wanted != has:
            building.first_convolution(network, wanted)
            notes.append(
                f"The first layer was made for {has} bands and was adapted to {wanted} by "
                "repeating and scaling its weights; it was not trained so."
            )
        spec = _spec_for(spec, wanted)
    names = _names(classes, known.classes if known else "", count, path)
    card = replace(card, notes=(*card.notes, *notes))
    return ImageClassifier(network, names, spec, card, pixelwise=plan.pixelwise, device=device)


def _without_weights(
    plan: Blueprint,
    title: str,
    classes: str | Path | Sequence[str] | None,
    bands: int | None,
    untrained: bool,
    device: str,
) -> ImageClassifier:
    if not untrained:
        raise MissingCapability(
            f"The weights of {title} are not here.",
            way_out="Ask to fetch the published ones, give a file of weights, or ask for the "
            "untrained network.",
        )
    names = None if classes is None else _names(classes, "", None, None)
    network = building.build(plan, None if names is None else len(names))
    spec = building.spec_of(plan, network)
    if bands is not None and bands != 3:
        building.first_convolution(network, bands)
        spec = _spec_for(spec, bands)
    count = _class_count(network, title)
    card = Card(_id_of(plan), f"{title}, untrained", f"random weights, built by {plan.library}")
    known = "imagenet" if count == 1000 else ""
    return ImageClassifier(
        network, names or _names(None, known, count, None), spec, card,
        pixelwise=plan.pixelwise, device=device,
    )  # fmt: skip


def _made_here(path: Path, device: str) -> ImageClassifier | None:
    """Open a network that says itself what it is: taught here, or saved by transformers."""
    from backends.explain.transformers_hub import WEIGHTS, is_folder, open_transformers
    from backends.learning.trained_networks import NETWORK_FILE, read_card

    inner = path / NETWORK_FILE if path.is_dir() else path
    saved = path.parent if path.name == WEIGHTS else path
    if not (path.is_dir() and inner.is_file()) and is_folder(saved):
        return open_transformers(str(saved), device=device)
    if not inner.is_file():
        raise BadInput(
            f"{path.name} does not exist.", subject=path, way_out="Check the name and the folder."
        )
    if inner.suffix == ".safetensors":
        if read_card(inner) is not None:
            from backends.learning.taught_classifier import open_taught

            return open_taught(inner, device=device)
        from backends.explain.spectral import is_checkpoint, open_spectral

        if is_checkpoint(inner):
            return open_spectral(inner, device=device)
    return None


def _is_place(model: str) -> bool:
    """Tell whether a name is that of a file or a folder with a network in it."""
    from backends.explain.transformers_hub import is_folder

    path = Path(model).expanduser()
    return bool(model) and ((bool(path.suffix) and path.is_file()) or is_folder(path))


def _spec_for(spec: InputSpec, bands: int) -> InputSpec:
    """Return the input of a network whose first layer was adapted: one mean for all bands."""
    mean = sum(spec.mean) / len(spec.mean)
    std = sum(spec.std) / len(spec.std)
    return replace(spec, bands=bands, mean=(mean,) * bands, std=(std,) * bands)


def _names(
    given: str | Path | Sequence[str] | None, known: str, count: int | None, path: Path | None
) -> tuple[str, ...]:
    """Return the names of the classes; numbers where there are none."""
    names: list[str] = []
    if isinstance(given, (str, Path)):
        try:
            text = Path(given).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                f"The class names {Path(given).name} cannot be read.", details=repr(error)
            ) from error
        names = [line.strip() for line in text.splitlines() if line.strip()]
        # Lists made for networks with a class for "nothing" begin with it.
        if count is not None and len(names) == count + 1 and names[0] == "background":
            names = names[1:]
    elif given is not None:
        names = list(given)
    elif known == "imagenet" or count == 1000:
        from timm.data import ImageNetInfo

        names = list(ImageNetInfo().label_descriptions())
    elif known:
        names = list(_facts()["classes"][known])
    elif count is not None:
        names = [f"class {number}" for number in range(count)]
    if count is not None and len(names) != count:
        raise BadInput(
            f"There are {len(names)} names for the {count} classes of the network.",
            subject=path,
            way_out="Give a file with one name a line.",
        )
    return tuple(names)


def _class_count(network: Any, title: str) -> int:
    """Return the number of classes: rows of the last weights that are a layer's.

    Raises
    ------
    BadInput
        It has none: it was made to hand out features.
    """
    from torch import nn

    told = getattr(network, "num_classes", None)
    if told == 0:
        raise BadInput(
            f"{title} tells no classes apart; it hands out features only.",
            way_out="Choose a classifier, or teach it classes of yours first.",
        )
    if isinstance(told, int) and told > 0:
        return told
    last = [p for p in network.modules() if isinstance(p, (nn.Linear, nn.Conv2d))][-1]
    return int(last.out_features if isinstance(last, nn.Linear) else last.out_channels)


def _unwrapped(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop prefixes that wrappers put before every name."""
    out = dict(found)
    for prefix in _WRAPPERS * 2:
        if out and all(name.startswith(prefix) for name in out):
            out = {name[len(prefix) :]: value for name, value in out.items()}
    return out


def _candidates() -> list[Blueprint]:
    """Return networks whose weights are recognised, the named ones first."""
    out = [e.blueprint for e in entries()]
    for library, names in _facts()["recognised"].items():
        out += [Blueprint(library, name) for name in names]
    return out


def _like(model: str) -> str:
    import difflib

    import timm
    import torchvision

    if model.startswith("transformers"):
        return "Write transformers:NAME."
    known = [e.id for e in entries()] + timm.list_models() + torchvision.models.list_models()
    near = difflib.get_close_matches(model.partition(":")[2] or model, sorted(set(known)), 4)
    return f"Did you mean {', '.join(near)}?" if near else f"Known by name: {_ids()}."


def _id_of(plan: Blueprint) -> str:
    return next((e.id for e in entries() if e.blueprint == plan), plan.name)


def _ids() -> str:
    return ", ".join(e.id for e in entries())


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def _facts() -> dict[str, Any]:
    text = resources.path("classifiers.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values
