"""What a study found of one network, on disk, so that a stopped study goes on with the next."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backends.explain.consistency import MaskingDrop
from backends.explain.localisation import Localisation
from backends.explain.perturbation import Ledger
from backends.explain.study_records import GRID, MapRecord, ModelResult
from backends.explain.trust_card import plain
from backends.io.writers.atomic import replacing

_PLAIN = (
    "image", "target", "probability", "right", "faithfulness", "insertion_auc", "deletion_auc",
)  # fmt: skip


def keep_result(path: Path, identity: str, result: ModelResult, unread: dict[int, str]) -> None:
    """Write a network's result.

    Parameters
    ----------
    identity : str
        Of images, settings and weights; a result of others is never taken for this one.
    unread : dict of int to str
        Images that could not be read, and why.
    """
    facts: dict[str, Any] = {
        "identity": identity,
        "model": result.model,
        "architecture": result.architecture,
        "note": result.note,
        "seconds": result.seconds,
        "cost": asdict(result.cost),
        "unread": {str(number): why for number, why in unread.items()},
        "records": [
            {
                **{name: getattr(record, name) for name in _PLAIN},
                "drop": asdict(record.drop),
                "localisation": record.localisation and record.localisation.to_dict(),
            }
            for record in result.records
        ],
    }
    maps = np.stack([r.values for r in result.records]) if result.records else np.zeros((0, *GRID))
    with replacing(path, folders=True) as inner, inner.open("wb") as stream:
        np.savez_compressed(
            stream, answers=result.answers, maps=maps.astype(np.float32),
            facts=np.array(json.dumps(plain(facts))),
        )  # fmt: skip


def kept_result(path: Path, identity: str) -> tuple[ModelResult, dict[int, str]] | None:
    """Return a network's result and the unread images; None where there is none of this study."""
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            answers, maps = file["answers"], file["maps"]
    except (OSError, ValueError, KeyError):
        return None
    if facts.get("identity") != identity:
        return None
    records = tuple(
        _record(told, values) for told, values in zip(facts["records"], maps, strict=True)
    )
    result = ModelResult(
        facts["model"], facts["architecture"], facts["note"], answers, records,
        facts["seconds"], Ledger(**facts["cost"]),
    )  # fmt: skip
    return result, {int(number): why for number, why in facts["unread"].items()}


def _record(told: dict[str, Any], values: Any) -> MapRecord:
    # What is no number is null in JSON.
    known: dict[str, Any] = {name: np.nan if told[name] is None else told[name] for name in _PLAIN}
    drop = MaskingDrop(told["drop"]["paper"], tuple(told["drop"]["random"]))
    there = None if told["localisation"] is None else Localisation(**told["localisation"])
    return MapRecord(**known, drop=drop, localisation=there, values=values)
