"""What is asked of a scene, in one record: the window fills it in, the command line reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backends.errors import WrongUse
from backends.fire.checkpoints import FireNetworks, open_networks
from backends.fire.combined import GATE
from backends.fire.detect import detect
from backends.fire.fields import FireImage
from backends.fire.results import FireResult, Tuning
from backends.fire.retuning import retune
from backends.fire.roles import match_bands
from backends.jobs import Progress
from backends.scene import Scene


@dataclass(frozen=True)
class FireQuestion:
    """How fire is looked for.

    Attributes
    ----------
    sensor, channels, units, sun_zenith, night
        What was said of the bands; empty or None means: look.
    rules : tuple of str, optional
        None means what the bands allow.
    model, segmenter : Path, optional
        Networks; two files for the published Keras pair.
    gate, threshold, min_size
        See `backends.fire.results.Tuning`; no threshold takes that of the networks.
    numbers : mapping of rule id to mapping
    device : str
    """

    sensor: str = ""
    channels: tuple[int, ...] | None = None
    units: str = ""
    sun_zenith: float | None = None
    night: bool | None = None
    rules: tuple[str, ...] | None = None
    model: Path | None = None
    segmenter: Path | None = None
    gate: float = GATE
    threshold: float | None = None
    min_size: int = 1
    numbers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    device: str = "auto"

    def image(self, scene: Scene) -> FireImage:
        """Return the scene with bands and units understood.

        Raises
        ------
        BadInput
            Nothing says what they are.
        """
        bands = match_bands(scene, sensor=self.sensor, channels=self.channels)
        return FireImage(
            scene, bands, units=self.units, sun_zenith_deg=self.sun_zenith, night=self.night
        )

    def networks(self) -> FireNetworks | None:
        """Open the networks, where there are any."""
        if self.model is None:
            return None
        return open_networks(self.model, keras_segmenter=self.segmenter)

    def ask(self, scene: Scene, *, out: str = "", progress: Progress | None = None) -> FireAnswer:
        """Look for fire."""
        networks = self.networks()
        image = self.image(scene)
        found = detect(
            image, rules=self.rules, model=networks, gate=self.gate,
            pixel_threshold=self.threshold, min_size=self.min_size, numbers=self.numbers,
            device=self.device_id(networks), command=self.line(scene, out), progress=progress,
        )  # fmt: skip
        return FireAnswer(self, image, networks, found)

    def pixel_threshold(self, networks: FireNetworks | None) -> float:
        """Return from which probability a pixel is fire."""
        facts = {} if networks is None else networks.facts
        known = float(facts.get("pixel_threshold", 0.5))
        return known if self.threshold is None else self.threshold

    def device_id(self, networks: FireNetworks | None) -> str:
        """Return where the networks run."""
        from backends import devices

        return "cpu" if networks is None else devices.choose(self.device).id

    # -- the command line that does the same ---------------------------------------------

    def line(self, scene: Scene, out: str = "") -> str:
        """Return the command line in one; empty for a scene that is in no file."""
        import shlex

        words = self.command(scene, out)
        return shlex.join(("clearband", *words)) if words else ""

    def command(self, scene: Scene, out: str = "") -> tuple[str, ...]:
        """Return the command line without the program's name; empty where it is in no file."""
        path = scene.info.path
        if path is None:
            return ()
        options = reader_words(scene)
        out = out or f"{Path(path).stem}_fire"
        return ("fire", str(path), "--out", out, *self.words(), *options)

    def words(self, *, but: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the options by which the question differs from the default one.

        Parameters
        ----------
        but : tuple of str
            Names of options that the command does not have.
        """
        words: list[str] = []

        def add(name: str, value: object, default: object = None) -> None:
            if value != default and value is not None and name not in but:
                words.extend((f"--{name}", str(value)))

        add("sensor", self.sensor, "")
        add("channels", ",".join(map(str, self.channels or ())), "")
        add("units", self.units, "")
        add("sun-zenith", self.sun_zenith)
        if self.night is not None and "night" not in but:
            words.append("--night" if self.night else "--day")
        if self.rules is not None and "rules" not in but:
            words.extend(("--rules", ",".join(self.rules) or "none"))
        add("model", self.model)
        add("segmenter", self.segmenter)
        if self.model is not None:
            add("gate", self.gate, GATE)
            add("threshold", self.threshold)
        add("min-size", self.min_size, 1)
        for rule_id, values in () if "set" in but else self.numbers.items():
            for name, value in values.items():
                words.extend(("--set", f"{rule_id}.{name}={value}"))
        add("device", self.device, "auto")
        return tuple(words)


@dataclass(frozen=True, eq=False)
class FireAnswer:
    """What was asked, of what, and what was found."""

    question: FireQuestion
    image: FireImage
    networks: FireNetworks | None
    found: FireResult

    def retuned(
        self, gate: float, threshold: float, min_size: int, progress: Progress | None = None
    ) -> FireAnswer:
        """Return the answer with other numbers, without reading again what was read."""
        tuning = Tuning(gate, threshold, min_size)
        asked = replace(self.question, gate=gate, min_size=min_size)
        if self.networks is not None:
            asked = replace(asked, threshold=threshold)
        found = retune(
            self.image, self.networks, self.found, tuning,
            device=asked.device_id(self.networks), command=asked.line(self.image.scene),
            progress=progress,
        )  # fmt: skip
        return replace(self, question=asked, found=found)


def reader_words(scene: Scene) -> tuple[str, ...]:
    """Return what was said to the reader of a scene as options."""
    pairs = scene.info.options.items()
    return tuple(word for key, value in pairs for word in ("--option", f"{key}={value}"))


def listed(text: str) -> tuple[int, ...] | None:
    """Return channels from ``2,3,5,7,11``; None for none.

    Raises
    ------
    WrongUse
        Something else is written there.
    """
    try:
        return tuple(int(part) for part in text.replace(" ", ",").split(",") if part) or None
    except ValueError as error:
        raise WrongUse(f"{text} is no list of channels.", way_out="Give 2,3,5,7,11.") from error
