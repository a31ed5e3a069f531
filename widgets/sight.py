"""Which part of a scene is in sight, and on how many pixels of the screen."""

from __future__ import annotations

from collections.abc import Callable

from psygnal import Signal

from backends.scene import Scene, Window


def _whole(scene: Scene) -> Window:
    return Window(0, 0, *scene.shape[:2])


class Sight:
    """What docks may know of the view; without a canvas all of a scene is in sight.

    Parameters
    ----------
    window : callable
        The part of a scene that is seen, in its own pixels.
    pixels : callable
        How many pixels of the screen it is drawn on.
    """

    moved = Signal()

    def __init__(
        self,
        window: Callable[[Scene], Window] = _whole,
        pixels: Callable[[], int] = lambda: 1_000_000,
    ) -> None:
        self.window, self.pixels = window, pixels
