"""``bench concept-backbone``: the published sizes through the real backbone, once.

open_clip's ViT-B/16 read densely (MaskCLIP), 512 features, 8,192 concepts in the six published
groups, 12 on; real aerial images; a few steps of the published batch; then threshold, relations,
exemplars, names by the text tower, probes, one image described and written, and the published
file's layout written and read. The weights are random: nothing here says how good concepts are,
only that all of it runs, how long it takes and what memory; published weights take their place
by name. Needs the package open_clip.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from app.bench.table import machine

NAME = "ViT-B-16"
CONCEPTS, ACTIVE, STEPS, BATCH, RATE = 8192, 12, 4, 16384, 1e-4
IMAGES_A_CLASS = 6
Made = TypeVar("Made")


class _Stages:
    """Seconds by stage, and the memory at its end."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def run(self, title: str, act: Callable[[], Made]) -> Made:
        began, cpu = time.perf_counter(), time.process_time()
        made = act()
        self.found.append({
            "stage": title, "seconds": round(time.perf_counter() - began, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1), "peak_mb": _peak_mb(),
        })  # fmt: skip
        return made


def tabulate(out: Path | None = None) -> dict[str, Any]:
    """Run it; some minutes on one core, 6 GB."""
    import json

    import torch

    from backends import devices
    from backends.errors import BadInput
    from backends.io.writers.atomic import write_text

    given = os.environ.get("CLEARBAND_DATA")
    if not given:
        raise BadInput("Set CLEARBAND_DATA to the folder of real data.")
    torch.set_num_threads(devices.model_threads())
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as inside:
        found = _run(Path(given) / "aerial_aid", Path(inside))
    made = {
        "machine": machine(), "command": "clearband bench concept-backbone --out FILE",
        "threads": torch.get_num_threads(), "load_before": round(load, 1), **found,
    }  # fmt: skip
    if out is not None:
        write_text(out, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    return made


def text(made: dict[str, Any]) -> str:
    """Return the stages as lines."""
    from app.cli.console import table

    rows = {
        s["stage"]: f"{s['seconds']} s, {s['cpu_seconds']} s of the processor, "
        f"peak {s['peak_mb']} MB"
        for s in made["stages"]
    }
    rows["Checked"] = "; ".join(f"{k} {v}" for k, v in made["checked"].items())
    return table(rows)


def _run(source: Path, inside: Path) -> dict[str, Any]:
    import torch
    from safetensors.torch import save_file

    from backends.concepts.autoencoder import PUBLISHED_FRACTIONS
    from backends.concepts.autoencoder_training import Settings
    from backends.concepts.describing import describe
    from backends.concepts.encoders.clip_open import library
    from backends.concepts.feature_cache import FeatureCache
    from backends.concepts.files import write_concepts
    from backends.concepts.learning_concepts import (
        LearnSettings,
        Words,
        encode_folder,
        learn_concepts,
    )
    from backends.concepts.opening import make_encoder
    from backends.concepts.towers import OpenClipTower
    from backends.io import open_scene

    stages = _Stages()
    os.environ["CLEARBAND_HOME"] = str(inside / "home")  # nothing cached before helps
    weights = inside / "weights.safetensors"

    def random_weights() -> None:
        torch.manual_seed(0)
        save_file(library().create_model(NAME, load_weights=False).state_dict(), weights)

    stages.run("random weights of ViT-B/16 written", random_weights)
    encoder = stages.run(
        "encoder opened", lambda: make_encoder(f"open_clip:{NAME}", weights, dense=True)
    )
    folder = inside / "aerial"
    for name in sorted(p.name for p in source.iterdir() if p.is_dir()):
        (folder / name).mkdir(parents=True)
        for path in sorted((source / name).glob("*.jpg"))[:IMAGES_A_CLASS]:
            (folder / name / path.name).symlink_to(path)
    cache = FeatureCache(inside / "features")
    images, _ = stages.run(
        "features of the images",
        lambda: encode_folder(folder, lambda scene: encoder, cache=cache, shares=(80, 0, 20)),
    )
    tower = stages.run("text tower opened", lambda: OpenClipTower(NAME, str(weights)))
    how = LearnSettings(
        CONCEPTS, ACTIVE, Settings(STEPS, BATCH, RATE), fractions=PUBLISHED_FRACTIONS
    )
    vocabulary = tuple(name.lower() for name in images.classes)
    made = stages.run(
        f"{STEPS} steps of {BATCH}, threshold, relations, exemplars, names, probes",
        lambda: learn_concepts(images, encoder, inside / "made", how,
                               words=Words(vocabulary, tower)),
    )  # fmt: skip
    path = images.paths[images.of(2)[0]]
    with open_scene(path) as scene:
        there = stages.run(
            "one image described", lambda: describe(scene, encoder, made, cache=cache)
        )
        files, _ = stages.run(
            "its concept maps, graph and JSON written",
            lambda: write_concepts(there, scene, inside / "out", path.stem),
        )
    decision = there.decision()
    total = sum(part.amount for part in decision.parts)
    assert abs(total - decision.logits[decision.target]) < 1e-4
    stages.run("published layout written and read", lambda: _layout(made, inside / "ae.pt"))
    named = [told for told in made.names.values() if told["how"].startswith("words")]
    sizes = made.sizes
    return {
        "encoder": encoder.title, "weights": "random",
        "images": len(images.paths), "patches": sum(len(p) for p in images.patches),
        "sizes": {"features": sizes.features, "concepts": sizes.concepts, "active": sizes.active,
                  "groups": list(sizes.groups)},
        "checked": {
            "threshold": round(float(made.network.threshold), 4),
            "concepts_on_a_patch": round(there.quality.l0, 1),
            "named_by_words": len(named), "files_written": len(files),
            "parts_sum_to_the_logit": True, "published_layout_gives_the_same_codes": True,
        },
        "stages": stages.found,
    }  # fmt: skip


def _layout(made: Any, path: Path) -> None:
    """Write the dictionary as the published one is written, read it, compare codes."""
    import torch

    from backends.concepts.published import open_published

    net = made.network
    torch.save({
        "k": torch.tensor(ACTIVE, dtype=torch.int32), "threshold": net.threshold,
        "group_sizes": torch.tensor(made.sizes.groups), "W_enc": net.encode_weight,
        "b_enc": net.encode_bias, "W_dec": net.directions, "b_dec": net.offset,
    }, path)  # fmt: skip
    back = open_published(path, made.encoder)
    x = made.scaling.undo(np.random.default_rng(0).normal(size=(50, 512)).astype(np.float32))
    scaled = made.scaling.apply(x)
    assert back.sizes.groups == made.sizes.groups
    assert np.array_equal(back.codes(scaled).dense(), made.codes(x).dense())


def _peak_mb() -> int:
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
