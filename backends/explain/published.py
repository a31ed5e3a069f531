"""Published weights: where they lie already, or fetched because somebody asked."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from backends.downloads import PATIENCE_S, download, unreachable
from backends.errors import Cancelled, MissingCapability
from backends.explain.building import Blueprint
from backends.jobs import Progress

_FILE = "model.safetensors"


def cached(plan: Blueprint) -> Path | None:
    """Return published weights that are here: ours, or in the cache of their own library."""
    own = _place(plan)
    if own is not None and own.is_file():
        return own
    if plan.library == "timm":
        import huggingface_hub

        repository = _repository(plan.name)
        if not repository:
            return None
        found = huggingface_hub.try_to_load_from_cache(repository, _FILE)
        return Path(found) if isinstance(found, str) else None
    if plan.library == "torchvision" and own is not None:
        import torch

        there = Path(torch.hub.get_dir()) / "checkpoints" / own.name
        return there if there.is_file() else None
    return None


def fetch(plan: Blueprint, title: str, progress: Progress | None = None) -> Path:
    """Return published weights, downloaded on first use, checked and kept.

    Raises
    ------
    MissingCapability
        There are none, or the network or its server cannot be reached.
    BadInput
        What came is not what was published.
    """
    here, progress = cached(plan), progress or Progress()
    if here is not None:
        return here
    path, title = _place(plan), f"The weights of {title}"
    if path is None:
        raise MissingCapability(
            f"{title} are not published where they could be fetched from.",
            way_out="Give a file of weights.",
        )
    if plan.library == "torchvision":
        import torchvision

        facts = torchvision.models.get_model_weights(plan.name).DEFAULT
        size = int(facts.meta.get("_file_size", 100) * 2**20)
        download(facts.url, path, _digits(facts.url), size, title, progress)
        return path
    return fetch_from_hub(_repository(plan.name), _FILE, title, progress, path)


def cached_from_hub(repository: str, file: str) -> Path | None:
    """Return a file of the hub that is here: ours, or in the hub's own cache."""
    import huggingface_hub

    own = _hub_place(repository, file)
    if own.is_file():
        return own
    found = huggingface_hub.try_to_load_from_cache(repository, file)
    return Path(found) if isinstance(found, str) else None


def fetch_from_hub(
    repository: str,
    file: str,
    title: str,
    progress: Progress | None = None,
    path: Path | None = None,
) -> Path:
    """Download a file of the hub, checked where its checksum is known.

    Parameters
    ----------
    title : str
        For people: "The weights of ...".
    path : Path, optional
        Where it is kept.

    Raises
    ------
    MissingCapability
        The network or its server cannot be reached, or there is no such file.
    """
    import huggingface_hub

    path, progress = path or _hub_place(repository, file), progress or Progress()
    facts = reachable(repository, title, progress, file)
    # Of large files the tag of the content is its SHA-256.
    tag = str(facts.etag or "")
    digest = tag if re.fullmatch("[0-9a-f]{64}", tag) else ""
    url = huggingface_hub.hf_hub_url(repository, file)
    download(url, path, digest, int(facts.size or 1 << 30), title, progress)
    return path


def reachable(
    repository: str, title: str, progress: Progress | None = None, file: str = "config.json"
) -> Any:
    """Return what the hub says of a file, or say within seconds that it is out of reach."""
    import huggingface_hub

    (progress or Progress()).note(f"Looking for {title[0].lower()}{title[1:]}")
    url = huggingface_hub.hf_hub_url(repository, file)
    try:
        return huggingface_hub.get_hf_file_metadata(url, timeout=PATIENCE_S)
    except Cancelled:
        raise
    except Exception as error:  # whichever library it uses to talk, this is all it means
        raise unreachable(title, error) from error


def _repository(name: str) -> str:
    import timm

    facts = timm.get_pretrained_cfg(name)
    return str(facts.hf_hub_id or "") if facts is not None else ""


def _place(plan: Blueprint) -> Path | None:
    """Return where published weights are kept; None where there are none."""
    if plan.library == "timm":
        return _folder() / f"{plan.name}.safetensors" if _repository(plan.name) else None
    if plan.library == "torchvision":
        import torchvision

        url = str(torchvision.models.get_model_weights(plan.name).DEFAULT.url)
        return _folder() / url.rsplit("/", 1)[-1]
    return None


def _hub_place(repository: str, file: str) -> Path:
    return _folder() / f"{repository.replace('/', '--')}--{file}"


def _digits(url: str) -> str:
    """Return the first digits of the SHA-256 that torchvision puts into its file names."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", url)
    return found[1] if found else ""


def _folder() -> Path:
    given = os.environ.get("CLEARBAND_HOME")
    if given:
        return Path(given) / "published"
    from platformdirs import user_cache_path

    return user_cache_path("clearband") / "published"
