"""Labelled images as people have them: folders, tables, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.errors import BadInput, WrongUse
from backends.learning.grouping import GroupRule
from backends.learning.image_data import load_images
from backends.learning.image_folder import find_images

MakeFolder = Callable[..., Path]


def test_class_folders(image_folder: MakeFolder) -> None:
    root = image_folder(count=3)
    (root / "loose.png").write_bytes((root / "above" / "above_000.png").read_bytes())
    (root / "above" / "notes.txt").write_text("not an image")
    (root / "above" / ".hidden.png").write_text("")
    found = find_images(root)
    assert found.classes == ("above", "below")
    assert [row["images"] for row in found.counts()] == [3, 3]
    assert [s.name for s in found.skipped] == ["loose.png"]


def test_a_split_that_the_folders_give_is_kept(image_folder: MakeFolder, tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        image_folder(f"set/{part}", count=4)
    with load_images(tmp_path / "set", (16, 16)) as data:
        assert data.images.classes == ("above", "below")
        assert [len(data.split.of(p)) for p in ("train", "val", "test")] == [8, 8, 8]
        assert "data set itself" in data.split.notes[0]
        # The maker writes the same images each time: the check must see it.
        assert data.leakage.test_images == 8
        assert all(d.same for d in data.leakage.doubles)


def test_a_table_with_groups_masks_and_missing_files(image_folder: MakeFolder) -> None:
    root = image_folder(count=4)
    lines = ["File;Class;Patient;Mask"]
    lines += [f"above/above_{n:03}.png;up;p{n // 2};nowhere.png" for n in range(4)]
    lines += [f"below/below_{n:03}.png;down;q{n // 2};" for n in range(4)]
    lines += ["gone.png;up;p9;", ";up;p9;", "above/above_000.png;;p1;"]
    table = root / "labels.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    found = find_images(table)
    assert found.classes == ("down", "up")
    assert len(found.images) == 8
    assert set(found.groups.names) == {"p0", "p1", "q0", "q1"}
    said = " ".join(f"{s.name} {s.why}" for s in found.skipped)
    assert "gone.png does not exist" in said
    assert "names no path" in said
    assert "names no label" in said
    assert "the mask does not exist" in said


@pytest.mark.parametrize("text", ["path,label\na.png,x\nb.png,y\n", "path,label\n"])
def test_labels_without_files_are_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BadInput, match="none exists|holds no images"):
        find_images(tmp_path / "t.csv")


def test_wrong_places_are_sentences(image_folder: MakeFolder, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        find_images(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no images in class folders"):
        find_images(tmp_path / "empty")
    with pytest.raises(BadInput, match="one class only, above"):
        find_images(image_folder("one", classes=("above",)))
    (tmp_path / "t.csv").write_text("name,kind\na,b\n")
    with pytest.raises(WrongUse, match="no column called path"):
        find_images(tmp_path / "t.csv")


def test_damaged_images_are_listed_and_the_rest_goes_on(image_folder: MakeFolder) -> None:
    root = image_folder(count=8)
    (root / "above" / "above_003.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (root / "below" / "below_001.png").write_bytes(b"")
    np.save(root / "below" / "cube_900.npy", np.zeros((20, 20, 7)))
    with load_images(root, (16, 16)) as data:
        assert len(data.images.images) == 14
        said = {s.name: s.why for s in data.images.skipped}
        assert set(said) == {"above_003.png", "below_001.png", "cube_900.npy"}
        assert "bands where the others have" in said["cube_900.npy"]
        # Numbers of images and what is read for them still go together.
        for number, image in enumerate(data.images.images):
            top = data.reader.read([number])[0, 0]
            half = top.shape[0] // 2
            bright_above = top[:half].max() > top[half:].max()
            assert bright_above == (data.images.classes[image.label] == "above")
        assert "3 files cannot be used" in data.notes[0]


def test_one_damaged_image_among_a_thousand_costs_that_one(image_folder: MakeFolder) -> None:
    root = image_folder(count=500, side=9)
    victim = root / "above" / "above_250.png"
    victim.write_bytes(victim.read_bytes()[:40])
    with load_images(root, (8, 8)) as data:
        assert len(data.images.images) == 999
        assert [s.name for s in data.images.skipped] == [victim.name]
        assert "1 file cannot be used" in data.notes[0]


def test_a_class_without_one_good_image_is_a_sentence(image_folder: MakeFolder) -> None:
    root = image_folder(count=2)
    for file in (root / "above").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(BadInput, match="No image of class above can be used"):
        load_images(root, (16, 16))


def test_any_depth_and_any_number_of_bands(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label, level in (("low", 1000.0), ("high", 4000.0)):
        (tmp_path / "cubes" / label).mkdir(parents=True)
        (tmp_path / "deep" / label).mkdir(parents=True)
        for n in range(4):
            cube = (level + rng.normal(0, 50, (12, 18, 6))).astype(np.float32)
            deep = Image.fromarray(cube[..., 1].astype(np.uint16))
            cube[0, 0] = np.nan
            np.save(tmp_path / "cubes" / label / f"{n}.npy", cube)
            deep.save(tmp_path / "deep" / label / f"{n}.png")
    with load_images(tmp_path / "cubes", (16, 20)) as data:
        assert data.bands == 6
        unit = data.scale.apply(data.reader.read(range(8)))
        assert unit.shape == (8, 6, 16, 20)
        assert np.isfinite(unit).all()
        assert unit.min() == 0
        assert unit.max() == 1
    with load_images(tmp_path / "deep", (16, 16)) as data:
        assert data.bands == 1
        unit = data.scale.apply(data.reader.read(range(8)))
        label = data.images.label
        low = data.images.classes.index("low")
        assert unit[label == low].mean() < 0.2 < 0.8 < unit[label != low].mean()


def test_grey_and_colour_go_together(image_folder: MakeFolder) -> None:
    root = image_folder(count=5, bands=3)
    grey = np.asarray(Image.open(root / "above" / "above_000.png").convert("L"))
    Image.fromarray(grey).save(root / "above" / "above_000.png")
    with load_images(root, (16, 16)) as data:
        assert data.bands == 3
        assert data.is_rgb
        first = data.reader.read([0])[0]
        assert (first[0] == first[2]).all()


def test_the_cache_keeps_to_its_bound(image_folder: MakeFolder) -> None:
    root = image_folder(count=10)
    with load_images(root, (32, 32), rule=GroupRule(), cache_bytes=5 * 1024) as data:
        assert data.reader.cached_bytes <= 5 * 1024
        assert data.reader.read(range(20)).shape == (20, 1, 32, 32)
        assert data.reader.cached_bytes <= 5 * 1024
