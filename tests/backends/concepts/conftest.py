"""The small CLIP that the tests of concepts see with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_clip import known


@pytest.fixture(scope="package")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """The package, knowing a small model, and a file of that model's weights."""
    with known(tmp_path_factory.mktemp("open_clip")) as found:
        yield found
