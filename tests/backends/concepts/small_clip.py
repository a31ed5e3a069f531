"""A small CLIP of open_clip with random weights, as its library would load a published one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SMALL = "ViT-small-for-tests"


@contextmanager
def known(folder: Path) -> Iterator[tuple[Any, Path]]:
    """The package, knowing a small model, and a file of that model's weights."""
    open_clip = pytest.importorskip("open_clip")
    import torch
    from safetensors.torch import save_file

    (folder / f"{SMALL}.json").write_text(json.dumps({
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 4, "width": 32, "patch_size": 8,
                       "head_width": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2,
                     "layers": 2},
    }))  # fmt: skip
    open_clip.add_model_config(folder / f"{SMALL}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(SMALL, load_weights=False)
    save_file(model.state_dict(), folder / "weights.safetensors")
    yield open_clip, folder / "weights.safetensors"
    open_clip.factory._MODEL_CONFIG_PATHS.remove(folder / f"{SMALL}.json")
    open_clip.factory._rescan_model_configs()
