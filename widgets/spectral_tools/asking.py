"""What the spectral tools are asked for, done in the background, and as a command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.jobs import Progress
from backends.pairs.shifting import moved_notes
from backends.regions import Region
from backends.scene import Scene
from backends.spectra.preparing import WRITING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backends.spectra.library import SpectralLibrary
    from backends.spectra.products import Product
    from backends.spectra.references import References

    Doubles = NDArray[np.float64]


# What the command line says where a switch that is on by itself is off.
_OFF = {"gains": ["--means"]}


@dataclass(frozen=True, eq=False)
class ReferenceChoice:
    """What to compare with.

    Attributes
    ----------
    names : tuple of str
        Only spectra of the library whose name holds one of these.
    regions : tuple of Region
    areas : Path or None
        The file these regions were written to.
    pixels : tuple of (row, col)
    """

    library: SpectralLibrary | None = None
    names: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    areas: Path | None = None
    pixels: tuple[tuple[int, int], ...] = ()

    def __bool__(self) -> bool:
        return self.library is not None or bool(self.regions) or bool(self.pixels)

    def read(self, scene: Scene, progress: Progress) -> References:
        """Return the spectra."""
        from backends.spectra.references import references_for

        return references_for(
            scene, library=self.library, names=self.names, regions=self.regions,
            pixels=self.pixels, progress=progress,
        )  # fmt: skip

    def words(self) -> list[str] | None:
        """Return the options of the command line; None where something is in no file."""
        out: list[str] = []
        if self.library is not None:
            if self.library.path is None:
                return None
            out += ["--library", str(self.library.path)]
            for name in self.names:
                out += ["--name", name]
        if self.regions:
            if self.areas is None:
                return None
            out += ["--areas", str(self.areas), "--areas-option", "coordinates=pixels"]
        for row, col in self.pixels:
            out += ["--at", f"{row},{col}"]
        return out


@dataclass(frozen=True, eq=False)
class Answer:
    """What one run gave.

    Attributes
    ----------
    steps : float64 array
        Thresholds a slider goes through; empty where there is nothing to cut.
    """

    asked: Question
    product: Product
    steps: Doubles


@dataclass(frozen=True, eq=False)
class Question:
    """One run of a tool, as it was asked for.

    Attributes
    ----------
    title : str
        Name of the tool, for people.
    tool : str
        Name of the command under ``clearband spectra``.
    settings : mapping
        By the names of the command's options.
    others : mapping of name to Scene
        Further scenes: those a formula names, the later one of a change.
    folder : str
        Where the command line writes: a folder, or the file of what becomes a scene.
    regions : tuple of Region
        Written to ``settings["areas"]`` first, where the command line finds them.
    replaces : bool
        Whether a file of that name may be replaced.
    ranked : tuple of (row, col) or Region
        For which the references are ranked; else every pixel is matched.
    """

    scene: Scene
    title: str
    tool: str
    settings: Mapping[str, Any]
    references: ReferenceChoice | None = None
    others: Mapping[str, Scene] = field(default_factory=dict)
    folder: str = ""
    regions: tuple[Region, ...] = ()
    replaces: bool = False
    ranked: tuple[tuple[int, int] | Region, ...] = ()

    def __call__(self, progress: Progress) -> Answer:
        """Do it."""
        import numpy as np

        product = self._product(progress)
        # False-alarm rates are chosen, not thresholds: those need no steps.
        cuts = product.cut is not None and not product.cut.dimensions
        steps = product.cut.steps() if cuts and product.cut is not None else np.empty(0)
        first = product.summary.get("threshold")
        if first is not None and steps.size and product.cut is not None:
            steps = np.sort(np.append(steps, float(first)))  # the slider begins there
            steps = steps if product.cut.alike == "small" else steps[::-1]
        return Answer(self, product, steps)

    def _product(self, progress: Progress) -> Product:
        from backends.spectra import products
        from backends.spectra.detectors import window_of

        scene, told = self.scene, self.settings
        common: dict[str, Any] = {"command": self.line, "progress": progress}
        found = self.references.read(scene, progress) if self.references else None
        match self.tool:
            case "badbands":
                from backends.spectra.band_quality import bad_bands

                return bad_bands(scene, least=told["least"], progress=progress)
            case tool if tool in WRITING:
                return self._prepared(progress)
            case "match" if self.ranked:
                from backends.spectra.ranking import rank

                assert found is not None
                weights = dict(text.split("=", 1) for text in told["weight"])
                return rank(scene, self.ranked, found, weights, progress=progress)
            case "match":
                assert found is not None
                return products.match(scene, found, told["measure"], **common)
            case "target":
                assert found is not None
                return products.find_target(scene, found, told["method"], **common)
            case "expr":
                return products.apply_formula(
                    scene, told["formula"], others=self.others, title=told["title"], **common
                )
            case "change":
                from backends.spectra.change import compare

                return compare(
                    scene, self.others["later"], told["method"], wavelengths=told["nm"],
                    normalise=told["normalise"], **common,
                )  # fmt: skip
            case "index":
                from backends.spectra.index_catalogue import compute_indices

                return compute_indices(scene, [told["index"]], **common)
            case "cluster":
                from backends.spectra.clustering import cluster

                return cluster(
                    scene, told["count"], told["method"], passes=told["passes"], **common
                )
            case "rx":
                window = window_of(scene, told["window"]) if told["window"] else None
                return products.anomalies(
                    scene, false_alarms=told["false_alarms"], window=window,
                    components=told["components"], **common,
                )  # fmt: skip
            case "unmix":
                return products.unmix(
                    scene, found, count=told.get("count"), method=told.get("method", "vca"),
                    **common,
                )  # fmt: skip
        dark = None
        if self.regions:
            from backends.label_regions import labels_from_regions

            dark = labels_from_regions(self.regions, scene.shape[:2]).values > 0
        return products.transform(scene, self.tool, told["components"], dark=dark, **common)

    def _prepared(self, progress: Progress) -> Product:
        """Write a file that becomes a scene."""
        from backends.errors import BadInput
        from backends.io.annotations import write_annotations
        from backends.spectra.preparing import prepare
        from backends.spectra.products import Product

        out = Path(self.folder)
        if out.exists() and not self.replaces:
            raise BadInput(
                f"{out.name} is there already.", way_out="Choose another name, or … to replace it."
            )
        told = dict(self.settings)
        for key in ("areas", "dark"):
            told[f"{key}_options"] = _pairs(told.pop(f"{key}_option", ()))
            if self.regions and key in told:
                write_annotations(self.regions, told[key], progress=progress)
        made = prepare(self.scene, self.tool, told, out, command=self.line, progress=progress)
        return Product((), {"scene": self.scene.title, **made})

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; empty where something is in no file."""
        return self.command_with()

    def command_with(self, **more: Any) -> tuple[str, ...]:
        """Return the command line with other settings."""
        path = self.scene.info.path
        used = [] if self.references is None else self.references.words()
        others = {name: scene.info.path for name, scene in self.others.items()}
        unsaved = any(isinstance(one, Region) for one in self.ranked) and not self.settings.get(
            "rank_areas"
        )
        # Dark ground of a transform; what is cut out or written is written with its regions.
        unsaved |= bool(self.regions) and not (self.settings.keys() & {"areas", "dark"})
        if path is None or used is None or None in others.values() or unsaved:
            return ()
        # A formula's command cannot say that another scene was moved by hand.
        if self.tool != "change" and any(moved_notes(s) for s in self.others.values()):
            return ()
        settings = {**self.settings, **more}
        words = ["spectra", self.tool, str(path)]
        words += [settings.pop("index")] if "index" in settings else []
        if self.tool == "change":
            words.append(str(others.pop("later")))
            for key, value in self.others["later"].info.options.items():
                words += ["--other-option", f"{key}={value}"]
        formula = settings.pop("formula", None)
        for key, value in self.scene.info.options.items():
            words += ["--option", f"{key}={value}"]
        words += used
        for name, file in others.items():
            words += ["--scene", f"{name}={file}"]
        for key, value in settings.items():
            option = f"--{key.replace('_', '-')}"
            if isinstance(value, bool):
                words += [option] if value else _OFF.get(key, [])
            elif isinstance(value, tuple):
                words += [word for one in value for word in (option, str(one))]
            elif value not in (None, ""):
                words += [option, str(value)]
        words += ["--out", self.folder or f"{path.stem}_{self.tool}"]
        if formula is not None:
            words += ["--", formula]  # it may begin with a minus
        return tuple(words)

    @property
    def line(self) -> str:
        """The command line as text."""
        return line_of(self.command)


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return options as the command line has them, by name."""
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def line_of(command: Iterable[str]) -> str:
    """Return a command line as text; empty for none."""
    words = list(command)
    return shlex.join(["clearband", *words]) if words else ""
