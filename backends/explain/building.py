"""Networks by library and name, built empty, fitted to a file of weights, or recognised by one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.errors import BadInput, WrongUse
from backends.explain.preparing import InputSpec

Tensors = Mapping[str, Tensor]
# Counters that no answer depends on; some files lack them.
_COUNTERS = ("num_batches_tracked",)


@dataclass(frozen=True)
class Blueprint:
    """A network that can be built.

    Attributes
    ----------
    library : str
        ``"timm"``, ``"torchvision"``, ``"transformers"`` or ``"own"``.
    name : str
        There.
    """

    library: str
    name: str

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name} ({self.library})" if self.library != "own" else self.name

    @property
    def pixelwise(self) -> bool:
        """Whether it classifies pixels."""
        if self.library != "torchvision":
            return False
        import torchvision

        return self.name in torchvision.models.list_models(module=torchvision.models.segmentation)


def blueprint(wanted: str) -> Blueprint | None:
    """Return the network of a library by its name, or ``library:name``; None where unknown."""
    library, colon, name = wanted.partition(":")
    if not colon:
        library, name = "", wanted
    from backends.explain.small_networks import SMALL

    if library in ("", "own") and name in SMALL:
        return Blueprint("own", name)
    if library in ("", "timm"):
        import timm

        if timm.is_model(name):
            return Blueprint("timm", name)
    if library in ("", "torchvision"):
        import torchvision

        models = torchvision.models
        known = models.list_models(module=models)
        known += models.list_models(module=models.segmentation)
        if name in known and not name.startswith("quantized"):
            return Blueprint("torchvision", name)
    if library == "transformers":
        return Blueprint("transformers", name)
    return None


def build(plan: Blueprint, classes: int | None = None) -> nn.Module:
    """Build a network with random weights.

    Parameters
    ----------
    classes : int, optional
        Default: as many as its published weights know.

    Raises
    ------
    WrongUse
        It cannot be built so.
    """
    some: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about their own defaults
            return _build(plan, classes, some)
    except (RuntimeError, TypeError, ValueError, AssertionError, KeyError) as error:
        raise WrongUse(
            f"{plan.title} cannot be built for {classes or 'its own'} classes.",
            details=repr(error),
        ) from error


def _build(plan: Blueprint, classes: int | None, some: dict[str, Any]) -> nn.Module:
    if plan.library == "own":
        from backends.explain.small_networks import SMALL

        return SMALL[plan.name](classes or 10)
    if plan.library == "torchvision":
        import torchvision

        if plan.pixelwise:
            some["weights_backbone"] = None
        made: nn.Module = torchvision.models.get_model(plan.name, weights=None, **some)
        return made
    import timm

    try:  # transformers of timm take any size when told so
        made = timm.create_model(plan.name, dynamic_img_size=True, **some)
    except TypeError:
        made = timm.create_model(plan.name, **some)
    return made


def spec_of(plan: Blueprint, network: nn.Module) -> InputSpec:
    """Return the input a network was made for, as its library says."""
    if plan.library == "own":
        return InputSpec((32, 32), fixed=plan.name == "cifar_lenet")
    if plan.library == "timm":
        import timm

        facts = timm.data.resolve_data_config({}, model=network)
        embeddings = (p for p in network.modules() if hasattr(p, "strict_img_size"))
        embedding = next(embeddings, getattr(network, "patch_embed", None))
        patch = getattr(embedding, "patch_size", 1)
        patch = patch if isinstance(patch, int) else patch[0]
        strict = bool(getattr(embedding, "strict_img_size", False))
        fixed = strict and not getattr(embedding, "dynamic_img_pad", False)
        return InputSpec(
            size=(int(facts["input_size"][1]), int(facts["input_size"][2])),
            mean=tuple(map(float, facts["mean"])),
            std=tuple(map(float, facts["std"])),
            interpolation="bicubic" if facts["interpolation"] == "bicubic" else "bilinear",
            crop=float(facts["crop_pct"]),
            fixed=fixed,
            multiple=int(patch) if not fixed else 1,
        )
    if plan.library == "torchvision" and not plan.pixelwise:
        return _torchvision_spec(plan.name)
    return InputSpec((520, 520) if plan.pixelwise else (224, 224))


def _torchvision_spec(name: str) -> InputSpec:
    import torchvision

    how = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    size = int(how.crop_size[0])
    bicubic = how.interpolation.value == "bicubic"
    return InputSpec(
        (size, size),
        mean=tuple(map(float, how.mean)),
        std=tuple(map(float, how.std)),
        interpolation="bicubic" if bicubic else "bilinear",
        crop=size / int(how.resize_size[0]),
        fixed=name.startswith("vit_"),
    )


@dataclass(frozen=True)
class Fit:
    """How a file of weights fits a network.

    Attributes
    ----------
    same, of : int
        Parts with the same name and shape; parts of the network.
    classes, bands : int or None
        Where the file has another number than the network, and nothing else differs.
    """

    same: int
    of: int
    classes: int | None = None
    bands: int | None = None
    exact: bool = False


def compare(network: nn.Module, weights: Tensors) -> Fit:
    """Compare names and shapes; the last layer may have other classes, the first other bands."""
    own = {n: v for n, v in network.state_dict().items() if not n.endswith(_COUNTERS)}
    given = {n: v for n, v in weights.items() if not n.endswith(_COUNTERS)}
    classes: set[int] = set()
    bands: set[int] = set()
    same = wrong = 0
    for name, value in own.items():
        found = given.get(name)
        if found is None:
            wrong += 1
        elif found.shape == value.shape:
            same += 1
        elif found.ndim == value.ndim and found.shape[1:] == value.shape[1:]:
            classes.add(int(found.shape[0]))
        elif value.ndim == 4 and _only_bands_differ(tuple(found.shape), tuple(value.shape)):
            bands.add(int(found.shape[1]))
        else:
            wrong += 1
    strange = len(set(given) - set(own))
    exact = not wrong and not strange and len(classes) <= 1 and len(bands) <= 1
    return Fit(
        same,
        len(own),
        classes.pop() if classes and exact else None,
        bands.pop() if bands and exact else None,
        exact,
    )


def _only_bands_differ(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return a[0] == b[0] and a[2:] == b[2:]


def recognise(weights: Tensors, plans: Sequence[Blueprint], path: Path) -> Blueprint:
    """Return the network a file of weights belongs to, by the names and shapes in it.

    Raises
    ------
    BadInput
        To none that is known.
    """
    for plan in plans:
        with torch.device("meta"):
            try:
                network = build(plan)
            except WrongUse:
                continue
        if compare(network, weights).exact:
            return plan
    raise BadInput(
        f"The weights in {path.name} belong to no network that is recognised.",
        subject=path,
        way_out="Name the network they were made for.",
    )


def with_weights(
    plan: Blueprint, weights: Tensors, path: Path, title: str = ""
) -> tuple[nn.Module, int]:
    """Build a network for a file of weights; return it and its number of bands.

    Raises
    ------
    BadInput
        The weights are those of another architecture.
    """
    with torch.device("meta"):
        fit = compare(build(plan), weights)
    if not fit.exact:
        raise BadInput(
            f"{path.name} holds weights of another network than {title or plan.title}: "
            f"{fit.same} of {fit.of} parts fit.",
            subject=path,
            way_out="Name the network they were made for, or leave the name out to have it found.",
        )
    network = build(plan, fit.classes)
    if fit.bands is not None:
        first_convolution(network, fit.bands)
    # The counters may be missing, nothing else is: `compare` has looked.
    network.load_state_dict(dict(weights), strict=False)
    return network, fit.bands or 3


def first_convolution(network: nn.Module, bands: int) -> None:
    """Change the layer that reads the bands; its weights are adapted (timm's rule)."""
    from backends.learning.architectures import adapt_first_layer

    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            if part.groups != 1:
                raise BadInput("The network's first layer cannot be adapted to other bands.")
            with torch.no_grad():
                part.weight = nn.Parameter(adapt_first_layer(part.weight.detach(), bands))
            part.in_channels = bands
            return
    raise BadInput("The network has no layer that could be adapted to other bands.")
