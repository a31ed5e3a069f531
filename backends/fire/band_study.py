"""Which bands matter in the scene at hand, beside the paper's table: networks, or else rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput
from backends.fire.detect import DEFAULT_RULES
from backends.fire.fields import FireImage
from backends.fire.importance import (
    BandImportance,
    RuleImportance,
    band_importance,
    rule_importance,
)
from backends.fire.published import CAVEATS, published_table
from backends.fire.question import FireQuestion, reader_words
from backends.fire.rules import usable
from backends.jobs import Progress
from backends.scene import Scene

# For a narrow table.
SHORT = {
    "coastal": "Coastal", "blue": "Blue", "green": "Green", "red": "Red", "nir": "NIR",
    "swir1": "SWIR 1", "swir2": "SWIR 2", "mwir": "Mid-wave", "tir": "Thermal",
}  # fmt: skip


@dataclass(frozen=True)
class BandStudy:
    """What is lost without each band.

    Attributes
    ----------
    scene : str
    networks : tuple of BandImportance
        Empty where no networks were asked.
    rules : tuple of RuleImportance
    asked : tuple of str
        Rules.
    """

    scene: str
    networks: tuple[BandImportance, ...]
    rules: tuple[RuleImportance, ...]
    asked: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values with the paper's table; what is not known is None."""

        def plain(value: float | None) -> float | None:
            return None if value is None or math.isnan(value) else round(value, 5)

        return {
            "scene": self.scene,
            "networks": [
                {"channel": r.channel, "title": r.title, "mean_change": plain(r.mean_change),
                 "iou_change": plain(r.iou_change), "published_alone": r.published_alone}
                for r in self.networks
            ],
            "rules": [
                {"part": r.title, "band": r.band,
                 "kept": {k: plain(v) for k, v in r.kept.items()},
                 "published_alone": r.published_alone}
                for r in self.rules
            ],
            "published": published_table(),
            "caveats": list(CAVEATS),
        }  # fmt: skip


def band_study(
    image: FireImage,
    question: FireQuestion,
    *,
    truth: NDArray[Any] | None = None,
    progress: Progress | None = None,
) -> BandStudy:
    """Hide each band in turn, for the networks of the question, and for its rules.

    Raises
    ------
    BadInput
        The scene can answer neither.
    """
    networks = question.networks()
    reasons = usable(image)
    wanted: Sequence[str] = question.rules if question.rules is not None else DEFAULT_RULES
    asked = tuple(r for r in wanted if not reasons.get(r, ""))
    if networks is None and not asked:
        raise BadInput(
            f"No rule can be asked of {image.scene.title}, and no networks were given.",
            subject=image.scene.info.path,
            way_out="Open a scene with heat or shortwave infrared bands.",
        )
    found: list[BandImportance] = []
    if networks is not None:
        found = band_importance(
            image, networks, truth=truth, threshold=question.pixel_threshold(networks),
            device=question.device_id(networks), progress=progress,
        )  # fmt: skip
    by_rules = (
        rule_importance(image, asked, numbers=question.numbers, progress=progress) if asked else []
    )
    return BandStudy(image.scene.title, tuple(found), tuple(by_rules), asked)


def study_command(scene: Scene, question: FireQuestion) -> tuple[str, ...]:
    """Return the command line that does the same; empty for a scene that is in no file."""
    path = scene.info.path
    if path is None:
        return ()
    words = question.words(but=("gate", "threshold", "min-size"))
    return ("fire", "bands", str(path), *words, *reader_words(scene))


def study_rows(
    study: BandStudy,
) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Return column names, rows as text and each row's full name, for a narrow table.

    Of the networks where there are any, else of the rules; all but the probability in %.
    """
    rows: list[tuple[str, ...]] = []
    if study.networks:
        for r in study.networks:
            iou = "–" if r.iou_change is None else f"{100 * r.iou_change:+.1f}"
            paper = _percent(r.published_alone)
            rows.append((f"AMS {r.channel}", f"{r.mean_change:+.4f}", iou, paper))
        return ("Hidden", "Probability", "IoU", "Paper"), rows, [r.title for r in study.networks]
    for hidden in study.rules:
        kept = [_percent(hidden.kept[name]) for name in study.asked]
        rows.append((SHORT[hidden.role], *kept, _percent(hidden.published_alone)))
    names = [f"{hidden.title}: {hidden.band}" for hidden in study.rules]
    return ("Hidden", *study.asked, "Paper"), rows, names


def study_words(study: BandStudy) -> dict[str, str]:
    """Return the study as names and values for people."""
    out: dict[str, str] = {}
    for r in study.networks:
        change = "" if r.iou_change is None else f", fire IoU {100 * r.iou_change:+.1f} %"
        out[f"Networks without {r.channel} {r.title}"] = (
            f"mean probability {r.mean_change:+.4f}{change}; paper with it alone "
            f"{_alone(r.published_alone)}"
        )
    for row in study.rules:
        kept = ", ".join(f"{name} {_share(value)}" for name, value in row.kept.items())
        out[f"Rules without {row.title} ({row.band})"] = (
            f"fire that stays: {kept}; paper with it alone {_alone(row.published_alone)}"
        )
    return out


def _percent(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{100 * value:.0f}"


def _share(value: float) -> str:
    return f"{_percent(value)} %"


def _alone(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.0f} %"
