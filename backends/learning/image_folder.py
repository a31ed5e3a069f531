"""Labelled images: class folders, or a table of files; what cannot be used is listed."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.errors import BadInput, WrongUse
from backends.learning.grouping import GroupRule, Groups, find_groups

# Companions of images, and what systems leave behind.
_BESIDE = {".hdr", ".txt", ".md", ".csv", ".json", ".xml", ".ini", ".db", ".py", ".html", ".pdf"}
_PARTS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "image", "image_path", "filepath"),
    "label": ("label", "class", "target", "category", "diagnosis"),
    "group": ("group", "patient", "patient_id", "slide", "slide_id", "case", "subject"),
    "mask": ("mask", "mask_path", "segmentation"),
    "part": ("part", "split", "set", "subset"),
}
LARGEST_TABLE = 64 << 20


@dataclass(frozen=True)
class LabelledImage:
    """One image of a data set.

    Attributes
    ----------
    path : Path
    name : str
        With its folders below the class folder or the table, ``/`` between them.
    label : int
        Class number from 0.
    group : str
        From a column; empty where there is none.
    mask : Path or None
        A picture of what matters in it.
    part : str
        ``"train"``, ``"val"``, ``"test"`` where the data set prescribes it, else empty.
    """

    path: Path
    name: str
    label: int
    group: str = ""
    mask: Path | None = None
    part: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file that cannot be used, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class ImageSet:
    """Labelled images that were found.

    Attributes
    ----------
    source : Path
        Folder or table.
    images : tuple of LabelledImage
    classes : tuple of str
        Names by class number.
    groups : Groups
        In the order of the images.
    rule : GroupRule
    skipped : tuple of Skipped
    """

    source: Path
    images: tuple[LabelledImage, ...]
    classes: tuple[str, ...]
    groups: Groups
    rule: GroupRule
    skipped: tuple[Skipped, ...] = ()

    @property
    def label(self) -> NDArray[np.int64]:
        """Class number of each image."""
        return np.array([image.label for image in self.images], np.int64)

    @property
    def parts(self) -> tuple[str, ...]:
        """Part of each image as the data set prescribes it."""
        return tuple(image.part for image in self.images)

    @property
    def group_source(self) -> str:
        """In words, where the groups come from."""
        if any(image.group for image in self.images):
            return "groups from the table"
        return self.rule.about

    def counts(self) -> list[dict[str, Any]]:
        """Return, a class, how many images and groups there are."""
        group = np.asarray(self.groups.names, dtype=object)
        label = self.label
        return [
            {
                "class": name,
                "images": int((label == number).sum()),
                "groups": len(set(group[label == number])),
            }
            for number, name in enumerate(self.classes)
        ]

    def without(self, skipped: Mapping[int, str]) -> ImageSet:
        """Return the set without some images, by number, each with the reason."""
        kept = [n for n in range(len(self.images)) if n not in skipped]
        every = self.groups
        groups = Groups(
            tuple(every.names[n] for n in kept),
            tuple(every.series[n] for n in kept) if every.ordered else (),
            tuple(every.number[n] for n in kept) if every.ordered else (),
            every.notes,
        )
        gone = tuple(Skipped(self.images[n].name, why) for n, why in skipped.items())
        found = ImageSet(
            self.source,
            tuple(self.images[n] for n in kept),
            self.classes,
            groups,
            self.rule,
            self.skipped + gone,
        )
        return _checked(found)


def find_images(source: str | Path, rule: GroupRule | None = None) -> ImageSet:
    """Find labelled images; none is opened.

    Parameters
    ----------
    source : path
        A folder with one folder a class (below ``train``, ``val``, ``test`` folders where the
        data set is split already), or a table (.csv) with the columns ``path`` and ``label``
        and, where wanted, ``group``, ``mask`` and ``part``; paths count from the table.
    rule : GroupRule, optional
        How groups are found where no column says it.

    Raises
    ------
    BadInput
        No such place, no classes, one class only, no images, labels without files.
    WrongUse
        The rule for groups does not fit the names.
    """
    source, rule = Path(source).expanduser(), rule or GroupRule()
    if source.is_dir():
        images, classes, skipped = _from_folder(source)
    elif source.is_file():
        images, classes, skipped = _from_table(source)
    else:
        raise BadInput(f"{source.name} does not exist.", subject=source)
    if not images:
        raise BadInput(
            f"{source.name} holds no images in class folders.",
            subject=source,
            way_out="Make one folder a class with its images inside, or give a table (.csv) "
            "with the columns path and label.",
        )
    groups = find_groups([i.name for i in images], [i.group for i in images], rule)
    found = ImageSet(source, tuple(images), tuple(classes), groups, rule, tuple(skipped))
    return _checked(found)


def _checked(found: ImageSet) -> ImageSet:
    counts = Counter(image.label for image in found.images)
    if len(found.classes) < 2:
        raise BadInput(
            f"{found.source.name} holds one class only, {found.classes[0]}; a network learns to "
            "tell at least two apart.",
            subject=found.source,
            way_out="Add a folder with images of another class.",
        )
    empty = [name for number, name in enumerate(found.classes) if not counts[number]]
    if empty:
        raise BadInput(
            f"No image of class {empty[0]} can be used.",
            subject=found.source,
            way_out="Remove the class, or mend its files.",
            details="\n".join(f"{s.name}: {s.why}" for s in found.skipped[:50]),
        )
    return found


def _from_folder(root: Path) -> tuple[list[LabelledImage], list[str], list[Skipped]]:
    below = [f for f in sorted(_entries(root), key=lambda f: f.name) if f.is_dir()]
    split = {f: _PARTS[f.name.lower()] for f in below if f.name.lower() in _PARTS}
    if len(set(split.values())) < 2 or len(split) < len(below):
        split = {}
    tops = list(split.items()) or [(root, "")]
    folders = [
        (child, part)
        for top, part in tops
        for child in sorted(_entries(top), key=lambda f: f.name)
        if child.is_dir()
    ]
    holding = [(child, part, _files(child)) for child, part in folders]
    holding = [(child, part, files) for child, part, files in holding if files]
    classes = sorted({child.name for child, _, _ in holding})
    images: list[LabelledImage] = []
    for child, part, files in holding:
        number = classes.index(child.name)
        for file in files:
            name = file.relative_to(child).as_posix()
            images.append(LabelledImage(file, name, number, part=part))
    loose = [] if split else [f for f in _entries(root) if _may_be_image(f)]
    why = "lies beside the class folders, so that its class is not known"
    return images, classes, [Skipped(f.name, why) for f in sorted(loose)]


def _entries(folder: Path) -> list[Path]:
    try:
        return [f for f in folder.iterdir() if not f.name.startswith((".", "__"))]
    except OSError as error:
        raise BadInput(
            f"The folder {folder.name} may not be read.", subject=folder, details=repr(error)
        ) from error


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, inside, names in os.walk(folder):
        inside[:] = sorted(n for n in inside if not n.startswith((".", "__")))
        found += [Path(place, name) for name in sorted(names)]
    return [file for file in found if _may_be_image(file)]


def _may_be_image(file: Path) -> bool:
    hidden = file.name.startswith(".")
    return not hidden and file.suffix.lower() not in _BESIDE and file.is_file()


def _from_table(path: Path) -> tuple[list[LabelledImage], list[str], list[Skipped]]:
    names, rows = _rows(path)
    column = _columns(path, names)
    records, skipped, missing = [], [], 0
    for line, row in enumerate(rows, 2):
        values = {key: (row.get(name) or "").strip() for key, name in column.items()}
        if not values["path"] and not values["label"]:
            continue
        if not values["path"] or not values["label"]:
            lacking = "path" if not values["path"] else "label"
            skipped.append(Skipped(f"line {line}", f"names no {lacking}"))
            continue
        file = path.parent / Path(values["path"]).expanduser()
        if not file.exists():
            missing += 1
            skipped.append(Skipped(values["path"], f"does not exist (line {line})"))
            continue
        records.append((file, values))
    if missing and not records:
        raise BadInput(
            f"{path.name} names {missing} images, of which none exists.",
            subject=path,
            way_out="Paths count from the folder of the table; correct the column "
            f"{column['path']}.",
            details="\n".join(s.name for s in skipped[:20]),
        )
    classes = sorted({values["label"] for _, values in records})
    images = []
    for file, values in records:
        mask = path.parent / values["mask"] if values.get("mask") else None
        if mask is not None and not mask.is_file():
            skipped.append(Skipped(values["mask"], "the mask does not exist; the image is used"))
            mask = None
        images.append(
            LabelledImage(
                file,
                Path(values["path"]).as_posix(),
                classes.index(values["label"]),
                values.get("group", ""),
                mask,
                _PARTS.get(values.get("part", "").lower(), ""),
            )
        )
    return images, classes, skipped


def _rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise BadInput(f"{path.name} is too large for a table of images.", subject=path)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path.name} is no table of images.",
            subject=path,
            way_out="Give a folder, or a text table (.csv) in UTF-8.",
            details=repr(error),
        ) from error
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    table = csv.DictReader(text.splitlines(), delimiter=mark, restval="")
    return list(table.fieldnames or ()), list(table)


def _columns(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Return our name of a column to the table's."""
    known = {str(name).strip().lower(): str(name) for name in names}
    found = {}
    for key, words in _COLUMNS.items():
        hit = next((known[word] for word in words if word in known), None)
        if hit is not None:
            found[key] = hit
    for key in ("path", "label"):
        if key not in found:
            raise WrongUse(
                f"{path.name} has no column called {key}.",
                way_out=f"Its columns are: {', '.join(known) or 'none'}.",
            )
    return found
