"""Image layers whose pixels are read and put together off the window's thread.

napari asks a layer for the pixels in view while it draws and waits for them. A `Followed`
layer does not let it wait: it keeps showing what it has, in its right place, tells its
`Follower` what is in view, and takes the new picture when it comes: at once what is known
of it, sharp a moment later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from napari.layers import Image
from napari.layers._scalar_field._slice import _ScalarFieldSliceResponse, _ScalarFieldView
from napari.layers._scalar_field.scalar_field import ScalarFieldSlicingState
from napari.utils.transforms import Affine
from numpy.typing import NDArray
from PyQt6.QtCore import QCoreApplication, QEventLoop

from backends.errors import ClearbandError
from backends.jobs import Job, JobHandle, Progress
from backends.tiles import TILE, Place, View
from backends.workspace import Workspace

# While tiles come in the picture is renewed this often at most.
RENEW_S = 0.1
# Pixels of a level around what is in view.
MARGIN = TILE // 2
_NO_USER = QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents


class Source(Protocol):
    """Where the pictures of a layer come from; asked on a worker thread only."""

    @property
    def base(self) -> NDArray[Any]:
        """All of it, coarse."""
        ...

    def compose(self, view: View) -> tuple[NDArray[Any], list[Place]]:
        """Return what is known of a view and what must be fetched to make it sharp."""
        ...

    def fetch(self, place: Place) -> None:
        """Read a missing part."""
        ...

    def retry(self) -> None:
        """Try parts again that failed."""
        ...


class Followed(Image):
    """An image layer that never reads by itself; see the module.

    Parameters
    ----------
    data : list of arrays
        Levels, finest first. Nothing here slices them.
    pixels : Source
    """

    def __init__(self, data: list[Any], *, pixels: Source, **options: Any) -> None:
        self.pixels = pixels
        self.wanted: View | None = None
        self.follower: Follower | None = None
        super().__init__(data, multiscale=True, **options)

    @property
    def _type_string(self) -> str:
        return "image"

    @classmethod
    def _basename(cls) -> str:
        return "Image"

    def refresh(
        self,
        event: Any = None,
        *,
        thumbnail: bool = True,
        data_displayed: bool = True,
        highlight: bool = True,
        extent: bool = True,
        force: bool = False,
    ) -> None:
        """Say what is in view; its picture comes later."""
        if self._refresh_blocked:
            return
        if data_displayed and self.visible:
            self.set_view_slice()
        self._refresh_sync(extent=extent, thumbnail=thumbnail, force=force)

    def show(self, view: View | None, picture: NDArray[Any]) -> None:
        """Take a picture of a view, or without one of everything; on the window's thread."""
        shape = np.array(self.level_shapes[0], float)
        if view is None:
            factor, corner = shape / picture.shape[:2], np.zeros(2)
        else:
            factor = np.asarray(self.downsample_factors[view.level], float)
            corner = np.array([view.top, view.left]) * factor
        state = self._slicing_state
        place = Affine(name="tile2data", scale=factor, translate=corner, ndim=self.ndim)
        state._update_slice_response(
            _ScalarFieldSliceResponse(
                image=_ScalarFieldView.from_view(picture),
                thumbnail=_ScalarFieldView.from_view(self.pixels.base),
                tile_to_data=place,
                slice_input=state._slice_input,
                request_id=0,
            )
        )
        self.events.set_data()

    def _get_layer_slicing_state(self, data: Any, cache: bool) -> ScalarFieldSlicingState:
        return _State(layer=self, data=data, cache=cache)

    def _want(self) -> None:
        if self._slice.empty or self._slice_input.ndisplay != 2:
            self.show(None, self.pixels.base)
        if self._slice_input.ndisplay != 2:
            return
        (top, left), (bottom, right) = self.corner_pixels[:, self._slice_input.displayed]
        level = self.data_level
        self.wanted = View(level, int(top), int(bottom) + 1, int(left), int(right) + 1)
        if self.follower is not None:
            self.follower.ask()


class _State(ScalarFieldSlicingState):
    layer: Followed
    # napari's own slicing in the background would read everything a second time.
    _make_slice_request = None

    def _set_view_slice(self) -> None:
        self.layer._want()


class Follower:
    """Makes the pictures that a layer wants, off the window's thread.

    Parameters
    ----------
    workspace : Workspace
        Jobs belong to the scene: they end with it.
    scene_id : str
    layer : Followed
    report : callable, optional
        Told on a worker thread of what cannot be read.
    """

    def __init__(
        self,
        workspace: Workspace,
        scene_id: str,
        layer: Followed,
        report: Callable[[ClearbandError], None] | None = None,
    ) -> None:
        self._workspace, self._scene_id, self._layer = workspace, scene_id, layer
        self._report = report
        self._lock = threading.Lock()
        self._asked = 0
        self._view: View | None = None
        self._working = False
        self._handle: JobHandle[None] | None = None
        self._ready: tuple[int, View, NDArray[Any], bool] | None = None
        self._sharp = 0
        layer.follower = self
        if layer.wanted is not None:
            self.ask()

    @property
    def is_sharp(self) -> bool:
        """Whether the layer shows all of what it wanted last."""
        return self._sharp == self._asked

    def ask(self) -> None:
        """Make the picture of what the layer wants now, also where it did before."""
        with self._lock:
            self._view, self._asked = self._layer.wanted, self._asked + 1
            # One that was cancelled before its turn never said that it is over.
            lost = self._handle is not None and self._handle.state.is_final
            if self._working and not lost:
                return
            self._working, self._handle = True, None
        job = Job(
            "Show what is in view", self._run, scene_id=self._scene_id, quiet=True, in_view=True
        )
        self._handle = self._workspace.submit(job, on_result=self._take, on_partial=self._take)

    def close(self) -> None:
        """Make nothing more."""
        self._layer.follower = None
        if self._handle is not None:
            self._handle.cancel()
        with self._lock:
            self._ready = None

    def _run(self, progress: Progress) -> None:
        try:
            while self._one(progress):
                pass
        except BaseException:
            with self._lock:
                self._working = False
            raise

    def _one(self, progress: Progress) -> bool:
        """Make one view, or leave it for a newer one; False when there is nothing to do."""
        with self._lock:
            number, view = self._asked, self._view
        assert view is not None
        source = self._layer.pixels
        source.retry()
        # A little more than is seen, as it is known: moving does not bare the ground.
        wide = view.grown(MARGIN, self._layer.level_shapes[view.level])
        picture, missing = self._compose(view, wide)
        shown = time.monotonic()
        while missing:
            self._give(number, wide, picture, False, progress)
            for place in missing:
                progress.check()
                if self._asked != number:
                    return True
                try:
                    source.fetch(place)
                except ClearbandError as error:
                    if self._report is not None:
                        self._report(error)
                # Not before the window has come to draw the last one.
                if self._ready is None and time.monotonic() - shown > RENEW_S:
                    break
            shown = time.monotonic()
            picture, missing = self._compose(view, wide)
        self._give(number, wide, picture, True, progress)
        with self._lock:
            if self._asked != number:
                return True
            self._working = False
            return False

    def _compose(self, view: View, wide: View) -> tuple[NDArray[Any], list[Place]]:
        """Return the wider picture and what is missing in the part that is seen."""
        picture, missing = self._layer.pixels.compose(wide)
        return picture, [place for place in missing if view.touches(place)]

    def _give(
        self, number: int, view: View, picture: NDArray[Any], sharp: bool, progress: Progress
    ) -> None:
        with self._lock:
            waiting, self._ready = self._ready is not None, (number, view, picture, sharp)
        if not waiting:  # otherwise the window has not come to the last one yet and takes this
            progress.partial(None, force=True)

    def _take(self, _: None) -> None:
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is None or self._layer.follower is not self:
            return
        number, view, picture, sharp = ready
        self._layer.show(view, picture)
        if sharp:
            self._sharp = number


def let_go(layer: Any) -> None:
    """Make nothing more for a layer that is taken off the canvas for good."""
    if isinstance(layer, Followed) and layer.follower is not None:
        layer.follower.close()


def is_sharp(layer: Any) -> bool:
    """Tell whether a layer shows its picture in full."""
    followed = isinstance(layer, Followed) and layer.visible and layer.follower is not None
    return not followed or layer.follower.is_sharp


def wait_until_sharp(layers: Iterable[Any], seconds: float = 5.0) -> bool:
    """Let the window live, without the user, until the layers show their pictures in full.

    Returns
    -------
    bool
        False where it took longer.
    """
    mine = [layer for layer in layers if isinstance(layer, Followed)]
    if not mine:
        return True
    until = time.monotonic() + seconds
    # The canvas says what is in view when it draws.
    for _ in range(3):
        QCoreApplication.processEvents(_NO_USER)
    while not (sharp := all(is_sharp(layer) for layer in mine)) and time.monotonic() < until:
        QCoreApplication.processEvents(_NO_USER)
        time.sleep(0.002)
    return sharp
