"""A trust card as files: everything as JSON, the curves as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backends.explain.curves import Band, Curve
from backends.explain.trust_card import TrustCard
from backends.io.writers.atomic import write_text
from backends.io.writers.tables import write_rows
from backends.overlays import Provenance

_HEAD = ("curve", "fraction", "score", "random_mean", "random_sd")


def write_trust(
    card: TrustCard, folder: str | Path, stem: str, provenance: Provenance | None = None
) -> tuple[Path, ...]:
    """Write ``STEM_trust.json`` and, where curves were measured, ``STEM_curves.csv``."""
    folder = Path(folder)
    told: dict[str, Any] = card.to_dict()
    if provenance is not None:
        told["provenance"] = provenance.to_dict()
    path = folder / f"{stem}_trust.json"
    write_text(path, json.dumps(told, indent=1, ensure_ascii=False, default=str) + "\n")
    written = [path]
    if card.faithfulness is not None or card.road is not None:
        written.append(write_curves(card, folder / f"{stem}_curves.csv", provenance))
    return tuple(written)


def write_curves(card: TrustCard, path: str | Path, provenance: Provenance | None = None) -> Path:
    """Write deletion, insertion and ROAD: a row a point.

    ``fraction`` is the part of the pixels changed; random maps have fewer points.
    """
    notes = [
        f"target: {card.target.name}",
        f"deletion: {card.settings.deletion.title}; insertion: {card.settings.insertion.title}",
        f"random: {card.settings.random_maps} maps with the map's own autocorrelation",
        f"verdict: {card.verdict}. {' '.join(card.reasons)}",
    ]
    return write_rows([list(_HEAD), *_rows(card)], path, provenance, notes)


def _rows(card: TrustCard) -> Iterator[list[Any]]:
    if (of := card.faithfulness) is not None:
        yield from _curve("deletion", of.deletion, of.random_deletion)
        yield from _curve("insertion", of.insertion, of.random_insertion)
    if card.road is not None:
        for name, scores in (
            ("road_most_first", card.road.most_first),
            ("road_least_first", card.road.least_first),
        ):
            for percentile, score in zip(card.road.percentiles, scores, strict=True):
                yield [name, f"{1 - percentile / 100:.6g}", f"{score:.9g}", "", ""]


def _curve(name: str, curve: Curve, band: Band) -> Iterator[list[Any]]:
    places = np.searchsorted(curve.fraction, band.fraction)
    means = dict(zip(places.tolist(), band.mean.tolist(), strict=True))
    sds = dict(zip(places.tolist(), band.sd.tolist(), strict=True))
    for i, (fraction, score) in enumerate(zip(curve.fraction, curve.score, strict=True)):
        random = [f"{of[i]:.9g}" if i in of else "" for of in (means, sds)]
        yield [name, f"{fraction:.6g}", f"{score:.9g}", *random]
