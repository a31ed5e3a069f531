"""What is asked of two scenes in the window, as a command line that does it again."""

from __future__ import annotations

from backends.scene import Scene

Place = tuple[float, float]


def shift_command(
    one: Scene, other: Scene, tie: tuple[Place, Place] | None = None
) -> tuple[str, ...]:
    """Return the command line of a check, or of a tie; empty for a scene in no file."""
    if one.info.path is None or other.info.path is None:
        return ()
    words = ["spectra", "shift", str(one.info.path), str(other.info.path)]
    for name, scene in (("--option", one), ("--other-option", other)):
        words += [w for k, v in scene.info.options.items() for w in (name, f"{k}={v}")]
    if tie is not None:
        (r, c), (other_r, other_c) = tie
        words += ["--tie", f"{r:.3f},{c:.3f}:{other_r:.3f},{other_c:.3f}"]
    return tuple(words)
