"""Settings come back as they were saved; a damaged file costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import (
    RECENT_KEPT,
    Settings,
    WindowGeometry,
    load_settings,
    save_settings,
    settings_file,
)


def test_settings_round_trip(own_home: Path) -> None:
    settings = Settings(workbench="fire", theme="light", layouts={"fire": "AAAA"})
    settings.geometry = WindowGeometry(x=5, y=6, width=1200, height=800, maximized=True)
    settings.remember(own_home / "a.hdr")
    save_settings(settings)
    assert load_settings() == settings
    assert settings_file().parent == own_home


def test_recent_files_are_newest_first_once_and_few(own_home: Path) -> None:
    settings = Settings()
    for number in range(RECENT_KEPT + 5):
        settings.remember(own_home / f"{number}.hdr")
    settings.remember(own_home / "9.hdr")
    assert settings.recent[0].endswith("9.hdr")
    assert len(settings.recent) == RECENT_KEPT
    assert len(set(settings.recent)) == RECENT_KEPT


@pytest.mark.parametrize(
    "text", ["", "{", '{"theme": "pink"}', "[]", "\x00\xff", '{"version": 99}']
)
def test_damaged_or_newer_file_is_set_aside(own_home: Path, text: str) -> None:
    settings_file().write_text(text, encoding="latin-1")
    assert load_settings() == Settings()
    save_settings(Settings(workbench="fire"))
    assert load_settings().workbench == "fire"


def test_absurd_geometry_is_refused() -> None:
    with pytest.raises(ValidationError):
        WindowGeometry(width=-4)
