"""A saved bottleneck over one image: what it decides, by which concepts, and where they are.

Source: PCBM-ReD, arXiv 2601.12303; see `bottleneck`. The image is the mean of its patches; the
weights of the concepts decide, exactly. What of the image no concept stands for adds nothing,
and its share is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.concepts.bottleneck import CONTROLS, FORMAT, Bottleneck, centred, load_bottleneck
from backends.concepts.decomposition import left_over
from backends.concepts.desk import short_name
from backends.concepts.desk_decision import Decision
from backends.concepts.encoders import Encoder, Features
from backends.concepts.probe import Probe
from backends.errors import BadInput
from backends.overlays import Placement, Provenance, ScoreMap
from backends.scene import Scene

_HEADER = 1 << 16
_NUMBERED = re.compile(r"concept (\d+)\b")  # of an autoencoder; phrases have no number


@dataclass(frozen=True, eq=False)
class BottleneckDecision(Decision):
    """What a bottleneck decides on an image.

    Attributes
    ----------
    made : Bottleneck
    weights : float64 array of shape (concepts,)
        How much of each concept is in the image.
    rest : float
        Share of the image that no concept stands for, 0 to 1.
    likeness : float16 array of shape (concepts, rows, cols)
        Cosine of every cell with each concept.
    placement : Placement
    scene : (id, digest, path)
    """

    made: Bottleneck
    weights: NDArray[np.float64]
    rest: float
    likeness: NDArray[np.float16]
    placement: Placement
    scene: tuple[str, str, str]
    path: str = ""

    of_dictionary = False

    @property
    def probe(self) -> Probe:  # type: ignore[override]
        """The linear head on the weights."""
        return self.made.head

    @property
    def scene_id(self) -> str:
        return self.scene[0]

    @property
    def whole(self) -> bool:
        return True

    @property
    def sentence(self) -> str:
        f, made = self.made.figures, self.made
        said = f"Decides on whole images through {len(made.names)} concepts"
        if "accuracy" in f:
            said += (
                f": right on {100 * f['accuracy']:.0f}\u00a0% of {f['test_images']} test images "
                f"(without concepts {100 * f['probe_accuracy']:.0f}\u00a0%, with as many random "
                f"ones {100 * f['random_accuracy']:.0f} ± {100 * f['random_deviation']:.0f}\u00a0%"
                f" in {CONTROLS} draws)"
            )
        said += f". {100 * self.rest:.0f}\u00a0% of this image lies outside them."
        if f.get("warning"):
            said += f" {f['warning']}"
        elif "accuracy" in f and f["accuracy"] <= f["random_accuracy"] + f["random_deviation"]:
            said += " Random concepts do as well: the accuracy says nothing for these."
        return said

    def name(self, concept: int) -> str:
        name = self.made.names[concept]
        number = _NUMBERED.match(name)
        return short_name(name, int(number[1])) if number else name

    def top(self, concept: int) -> float:
        return max(float(self.weights.max()), 1e-3)

    def used_map(self, concept: int, target: int) -> ScoreMap:
        """Return the overlay of how alike every cell is to a concept.

        The weights are those of the whole image; no part of a score belongs to a cell.
        """
        made = self.made
        return ScoreMap(
            f"Alike to {self.name(concept)}", self.scene_id,
            Provenance(
                "bottleneck", parameters={"concept": self.name(concept),
                                          "encoder": made.encoder.get("title", ""),
                                          "bottleneck": self.path},
                scene_digest=self.scene[1], scene_path=self.scene[2],
                notes=(self.sentence, "Cosine of every cell with the concept's direction."),
            ),
            placement=self.placement, centre=0.0, values=self.likeness[concept].astype(np.float32),
        )  # fmt: skip

    def _strengths(self, token: int) -> NDArray[np.float64]:
        return self.weights.copy()


def is_bottleneck(path: Path) -> bool:
    """Tell whether a file is a bottleneck; its head says so."""
    try:
        with path.open("rb") as stream:
            return FORMAT.encode() in stream.read(_HEADER)
    except OSError:
        return False


def decide_by_bottleneck(
    path: Path, scene: Scene, encoder: Encoder, features: Features
) -> BottleneckDecision:
    """Return what a saved bottleneck decides on an image.

    Raises
    ------
    BadInput
        Damaged, made for another encoder, or for features of another number.
    """
    made = load_bottleneck(path, encoder.digest)
    patches = np.asarray(features.values, np.float32)
    if patches.shape[1] != made.directions.shape[1]:
        raise BadInput(
            f"{path.name} was built on {made.directions.shape[1]} features a patch, these have "
            f"{patches.shape[1]}.",
            subject=path,
            way_out="Use the encoder it was built with.",
        )
    mean = patches.mean(0)[None]
    weights = made.weights(mean)
    rest = left_over(centred(mean, made.centre), made.directions, weights)
    directions = made.directions.T.astype(np.float32)
    likeness = (centred(patches, made.centre).astype(np.float32) @ directions).astype(np.float16)
    grid = np.ascontiguousarray(likeness.T).reshape(len(made.names), *features.grid)
    return BottleneckDecision(
        made, weights[0], float(rest[0]), grid, features.placement,
        (scene.id, scene.digest, str(scene.info.path or "")), str(path),
    )  # fmt: skip
