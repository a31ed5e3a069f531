"""What the window remembers between starts: workbench, theme, geometry, recent files.

One small JSON file, versioned, replaced and never overwritten; a damaged one is
set aside and the defaults are used.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

VERSION = 1
RECENT_KEPT = 12


class WindowGeometry(BaseModel):
    """Where the window was, in logical pixels."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    x: int = 0
    y: int = 0
    width: int = Field(default=1600, ge=640, le=16384)
    height: int = Field(default=1000, ge=480, le=16384)
    maximized: bool = False


class Settings(BaseModel):
    """Everything that is remembered.

    Attributes
    ----------
    workbench : str
        Id of the workbench shown last.
    theme : str
        ``"dark"`` or ``"light"``.
    layouts : dict of str to str
        Arrangement of the docks a workbench, as Qt saves it, in base 64.
    recent : list of str
        Paths, newest first.
    spectral_copies_gb : float
        Room for copies that make spectra of band-by-band files quick; 0 makes none.
    """

    model_config = ConfigDict(extra="ignore", validate_assignment=True)

    version: int = VERSION
    workbench: str = "remote_sensing"
    theme: Literal["dark", "light"] = "dark"
    geometry: WindowGeometry | None = None
    layouts: dict[str, str] = Field(default_factory=dict)
    recent: list[str] = Field(default_factory=list)
    spectral_copies_gb: float = Field(default=20.0, ge=0, le=100_000)

    def remember(self, path: str | Path) -> None:
        """Put a path on top of the recent files."""
        text = str(Path(path).expanduser().absolute())
        self.recent = [text, *(p for p in self.recent if p != text)][:RECENT_KEPT]

    def forget(self, path: str) -> None:
        """Take a path off the recent files."""
        self.recent = [p for p in self.recent if p != path]


def config_folder() -> Path:
    """Return the folder of settings: CLEARBAND_HOME, else the platform's place for it."""
    home = os.environ.get("CLEARBAND_HOME")
    if home:
        return Path(home).expanduser()
    from platformdirs import user_config_path

    return Path(user_config_path("clearband", appauthor=False))


def settings_file() -> Path:
    """Return the path of the settings file."""
    return config_folder() / "settings.json"


def load_settings() -> Settings:
    """Read the settings; the defaults where there are none or the file is damaged."""
    path = settings_file()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return Settings()
    try:
        found = Settings.model_validate_json(text)
    except ValidationError:
        _set_aside(path)
        return Settings()
    if found.version > VERSION:
        # Written by a newer Clearband: leave its file alone beside ours.
        _set_aside(path)
        return Settings()
    return found


def save_settings(settings: Settings) -> None:
    """Write the settings beside the old file, then put them in its place.

    Raises
    ------
    BadInput
        The folder cannot be written to.
    """
    from backends.io.writers.atomic import replacing

    with replacing(settings_file(), folders=True) as path:
        path.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _set_aside(path: Path) -> None:
    try:
        os.replace(path, path.with_suffix(".unreadable.json"))
    except OSError:
        return
