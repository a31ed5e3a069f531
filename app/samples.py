"""What can be opened without a file: demo scenes, and scenes of the literature on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.literature import LiteratureScene, literature

if TYPE_CHECKING:
    from backends.jobs import Progress
    from backends.scene import Scene


@dataclass(frozen=True)
class Sample:
    """A scene that comes with the application.

    Attributes
    ----------
    id, title : str
    about : str
        What it shows, in a few words.
    workbench : str
        Id of the workbench it belongs to.
    make : callable
        Takes a `Progress`, returns the scene.
    truth : callable or None
        Returns the path of a label file that belongs to it, once it was made.
    label_options : mapping
        How that file opens.
    terms : str
        All a person should know of what is downloaded first; empty when nothing is.
    cost, licence : str
        Of that, in few words.
    """

    id: str
    title: str
    about: str
    workbench: str
    make: Callable[[Progress], Scene]
    truth: Callable[[], Path] | None = None
    label_options: Mapping[str, Any] = field(default_factory=dict)
    terms: str = ""
    cost: str = ""
    licence: str = ""


def _demo(progress: Progress) -> Scene:
    from backends.simulate import make_demo_scene

    return make_demo_scene(progress=progress)


def _thermal(progress: Progress) -> Scene:
    from backends.simulate import make_thermal_scene

    return make_thermal_scene(progress=progress)


def _demo_truth() -> Path:
    from backends.simulate import demo_scene

    return demo_scene("valley")[1]


def _thermal_truth() -> Path:
    from backends.simulate import demo_scene

    return demo_scene("fire")[1]


def _stained_tissue(progress: Progress) -> Scene:
    return _from_scikit_image(
        "ihc.png",
        "Stained tissue (immunohistochemistry)",
        "Colonic glands, FHL2 in brown (DAB), nuclei in blue; The Human Protein Atlas",
    )


def _retina(progress: Progress) -> Scene:
    return _from_scikit_image(
        "retina.jpg",
        "Retina (fundus)",
        "Healthy retina; Häggström 2014, WikiJournal of Medicine, CC0",
    )


def _from_scikit_image(name: str, title: str, source: str) -> Scene:
    """Open a picture that lies inside the installed scikit-image; nothing is downloaded."""
    import skimage

    from backends.errors import MissingCapability
    from backends.io import open_scene

    path = Path(skimage.__file__).parent / "data" / name
    if not path.is_file():
        raise MissingCapability(
            f"This scikit-image does not bring {name}.",
            way_out="Open a picture or a slide of your own.",
        )
    scene = open_scene(path)
    scene.with_info(title=title, facts={**scene.info.facts, "Source": source})
    return scene


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "demo",
        "Simulated landscape",
        "200 bands, eight kinds of ground, with the truth",
        "remote_sensing",
        _demo,
        _demo_truth,
    ),
    Sample(
        "ihc",
        "Stained tissue",
        "Immunohistochemistry of colonic glands",
        "pathology",
        _stained_tissue,
    ),
    Sample("retina", "Retina", "A healthy fundus in colour", "pathology", _retina),
    Sample(
        "thermal",
        "Simulated fire",
        "A burning slope, visible to thermal bands",
        "fire",
        _thermal,
        _thermal_truth,
    ),
)


def downloads() -> tuple[Sample, ...]:
    """Return the scenes of the literature: downloaded when one is asked for."""
    return tuple(
        Sample(
            scene.id,
            scene.title,
            scene.about,
            scene.workbench,
            partial(_literature, scene),
            None if scene.label_options is None else partial(_path, scene),
            scene.label_options or {},
            scene.terms,
            scene.cost,
            scene.licence,
        )
        for scene in literature()
    )


def _literature(scene: LiteratureScene, progress: Progress) -> Scene:
    from backends.literature import open_literature

    return open_literature(scene, progress)


def _path(scene: LiteratureScene) -> Path:
    return scene.label_path


def sample(sample_id: str) -> Sample:
    """Return a sample by id.

    Raises
    ------
    KeyError
        There is none of that id.
    """
    return next(s for s in (*SAMPLES, *downloads()) if s.id == sample_id)
