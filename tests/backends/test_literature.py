"""Scenes of the literature: fetched when asked, checked, kept; offline is one sentence."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from backends.errors import BadInput, Cancelled, MissingCapability
from backends.jobs import CancelToken, Progress
from backends.literature import LiteratureScene, fetch, literature, open_literature


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LiteratureScene]:
    """A scene that a server on this machine offers."""
    folder = tmp_path / "served"
    folder.mkdir()
    np.save(folder / "cube.npy", np.arange(60_000, dtype=np.int16).reshape(30, 20, 100))
    content = (folder / "cube.npy").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield LiteratureScene(
        "cube", "A cube", "about", "remote_sensing", "us", "CC0", len(content),
        f"http://127.0.0.1:{server.server_port}/cube.npy", hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetched_once_checked_and_kept(served: LiteratureScene) -> None:
    assert not served.is_here
    with open_literature(served) as scene:
        assert scene.shape == (30, 20, 100)
        assert scene.title == "A cube"
        assert scene.info.facts["Licence"] == "CC0"
    # From now on no network is needed.
    assert fetch(replace(served, url="http://127.0.0.1:9/cube.npy")) == served.path


def test_another_file_than_published_is_not_kept(served: LiteratureScene) -> None:
    with pytest.raises(BadInput, match="not the file that was published"):
        fetch(replace(served, sha256="0" * 64))
    assert not served.is_here
    with pytest.raises(BadInput, match="not the file that was published"):
        fetch(replace(served, url=served.url, bytes=-600_000))
    assert not served.is_here


def test_offline_is_one_sentence(served: LiteratureScene) -> None:
    with pytest.raises(MissingCapability, match="out of reach"):
        fetch(replace(served, url="http://127.0.0.1:9/cube.npy"))


def test_cancelled_leaves_nothing(served: LiteratureScene) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        fetch(served, Progress(token))
    assert not list(served.path.parent.glob("*"))


def test_the_list_says_terms_size_and_checksum() -> None:
    scenes = literature()
    assert len({scene.id for scene in scenes}) == len(scenes) >= 4
    for scene in scenes:
        assert scene.licence
        assert scene.licence in scene.terms
        if not scene.url:
            assert scene.page.startswith("https://")
            continue
        assert scene.bytes > 0
        assert scene.url.startswith("https://")
        assert len(scene.sha256) == 64 or "not known" in scene.terms
    assert {"indian_pines_full", "pavia_university", "salinas", "houston_2013"} <= {
        scene.id for scene in scenes
    }


def test_an_unknown_checksum_is_written_down_and_then_holds(served: LiteratureScene) -> None:
    unknown = replace(served, sha256="", label_url=served.url)
    path = fetch(unknown)
    pinned = path.with_name(f"{path.name}.sha256")
    assert pinned.read_text().strip() == served.sha256
    assert unknown.label_path != path
    assert unknown.label_path.is_file()
    # Nothing is fetched again while it is here.
    assert fetch(replace(unknown, url="http://127.0.0.1:9/cube.npy")) == path
    path.write_bytes(b"damaged")
    fetch(unknown)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == served.sha256
    pinned.write_text("0" * 64)
    with pytest.raises(BadInput, match="downloaded here before"):
        fetch(unknown)
    pinned.unlink()
    fetch(replace(unknown, url="http://127.0.0.1:9/cube.npy"))  # put there by hand
    assert pinned.read_text().strip() == served.sha256


def test_what_needs_registration_says_where_to_put_it(served: LiteratureScene) -> None:
    scene = replace(served, url="", page="https://example.org/contest")
    with pytest.raises(MissingCapability, match="register") as caught:
        fetch(scene)
    assert "cube_labels.mat" in str(caught.value.way_out)


def test_the_real_files_are_those_of_the_list(clearband_data: Path) -> None:
    files = {
        "indian_pines": "hsi/indian_pines/Indian_subset.mat",
        "san_diego": "hsi/anomaly/sandiego_plane.mat",
        "pavia_beach": "hsi/anomaly/abu-beach-4.mat",
        "cmu_slide": "pathology/CMU-1-Small-Region.svs",
    }
    for scene in (s for s in literature() if s.sha256):
        content = (clearband_data / files[scene.id]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (scene.bytes, scene.sha256)
        scene.path.parent.mkdir(parents=True, exist_ok=True)
        scene.path.write_bytes(content)
        with open_literature(scene) as opened:
            assert opened.shape[2] >= 3
        if scene.label_options is not None:
            from backends.io.labels import open_labels

            labels = open_labels(scene.path, scene.label_options)
            assert labels.values.shape == opened.shape[:2]
