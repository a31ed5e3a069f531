"""Spectra of libraries for the spectrum plot: chosen in a dialog, brought to the scene's bands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import QWidget

from backends.jobs import Job, Progress
from backends.palette import key_color
from backends.workspace import OpenLibrary, Workspace
from widgets.library_dialog import LibraryDialog
from widgets.spectrum_plot import Curve

if TYPE_CHECKING:
    from backends.spectra.library import SpectralLibrary

_FIRST_COLOR = 4  # pins mostly use the first ones


class LibraryCurves:
    """Draws the ticked spectra of the open libraries and lets the user tick.

    Parameters
    ----------
    on_change : callable
        Called when there are other curves to draw.
    ask : callable
        Called when the user wants to open another library.
    """

    def __init__(
        self,
        workspace: Workspace,
        parent: QWidget,
        on_change: Callable[[], None],
        ask: Callable[[], None],
    ) -> None:
        self._workspace, self._parent = workspace, parent
        self._on_change, self._ask = on_change, ask
        self.place = len(workspace.libraries) - 1
        self.curves: dict[str, Curve] = {}
        self.dialog: LibraryDialog | None = None

    @property
    def library(self) -> SpectralLibrary | None:
        """The library in the dialog."""
        opened = self._opened
        return None if opened is None else opened.library

    @property
    def _opened(self) -> OpenLibrary | None:
        libraries = self._workspace.libraries
        if not libraries:
            return None
        self.place = min(max(self.place, 0), len(libraries) - 1)
        return libraries[self.place]

    def take(self, library: SpectralLibrary) -> None:
        """Let the user choose from a library that was opened."""
        places = [
            place
            for place, opened in enumerate(self._workspace.libraries)
            if opened.library is library or (library.path and opened.library.path == library.path)
        ]
        self.place = places[-1]
        self.choose()

    def choose(self) -> None:
        """Open the list."""
        opened = self._opened
        if opened is None:
            return
        if self.dialog is not None:
            self.dialog.close()
        titles = [other.library.title for other in self._workspace.libraries]
        library = opened.library
        self.dialog = LibraryDialog(
            titles, self.place, library.names, opened.shown, opened.scale, library.facts,
            library.summary, self._parent,
        )  # fmt: skip
        self.dialog.changed.connect(self.show)
        self.dialog.scaled.connect(self.rescale)
        self.dialog.another.connect(self._ask)
        self.dialog.turned.connect(self._turn)
        self.dialog.explain(self._why_not())
        self.dialog.show()

    def show(self, numbers: list[int]) -> None:
        """Draw these spectra of the library."""
        opened = self._opened
        if opened is not None:
            self._workspace.draw_library(self.place, numbers, opened.scale)

    def rescale(self, factor: float) -> None:
        """Draw the values times this factor, so that they compare with the scene's."""
        opened = self._opened
        if opened is not None:
            self._workspace.draw_library(self.place, opened.shown, factor)

    def _turn(self, place: int) -> None:
        self.place = place
        self.choose()

    def _why_not(self) -> str:
        """Return why the library cannot stand beside the active scene, or nothing."""
        scene = self._workspace.active_scene
        if scene is None:
            return "Open a scene first; its bands decide how these spectra are drawn."
        if not scene.bands.has_wavelengths:
            return f"{scene.title} has no wavelengths: these spectra cannot stand beside its own."
        if self.library is not None and self.library.wavelength_nm is None:
            return f"{self.library.title} does not say at which wavelengths it was measured."
        return ""

    def resample(self) -> None:
        """Bring the ticked spectra to the bands of the active scene."""
        scene = self._workspace.active_scene
        self.curves = {}
        if self.dialog is not None:
            self.dialog.explain(self._why_not())
        wanted = [
            (place, opened)
            for place, opened in enumerate(self._workspace.libraries)
            if opened.shown and opened.library.wavelength_nm is not None
        ]
        if scene is None or not scene.bands.has_wavelengths or not wanted:
            self._on_change()
            return

        def run(progress: Progress) -> dict[str, Curve]:
            from backends.spectra.library import resampled

            bands = scene.bands
            curves: dict[str, Curve] = {}
            for place, opened in wanted:
                there = resampled(opened.library, bands.wavelengths(), bands.fwhm_nm)
                for n in opened.shown:
                    curves[f"library {place} {n}"] = Curve(
                        there.names[n],
                        key_color(_FIRST_COLOR + len(curves)),
                        there.values[n] * opened.scale,
                        dashed=True,
                    )
            return curves

        def done(curves: dict[str, Curve]) -> None:
            # What was ticked meanwhile has asked anew; the topic drops this answer then.
            if self._workspace.active_scene is scene:
                self.curves = curves
                self._on_change()

        job = Job("Resample spectra", run, scene_id=scene.id, topic="library", quiet=True)
        self._workspace.submit(job, on_result=done)
