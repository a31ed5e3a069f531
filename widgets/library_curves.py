"""Spectra of libraries for the spectrum plot: chosen in a dialog, brought to the scene's bands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import QWidget

from backends.jobs import Job, Progress
from backends.palette import key_color
from backends.workspace import Workspace
from widgets.library_dialog import LibraryDialog
from widgets.spectrum_plot import Curve

if TYPE_CHECKING:
    from backends.spectra.library import SpectralLibrary

_FIRST_COLOR = 4  # pins mostly use the first ones


class LibraryCurves:
    """Holds the library in use and its ticked spectra.

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
        self.library: SpectralLibrary | None = None
        self.shown: list[int] = []
        self.scale = 1.0
        self.curves: dict[str, Curve] = {}
        self.dialog: LibraryDialog | None = None

    def take(self, library: SpectralLibrary) -> None:
        """Use another library and let the user choose from it."""
        self.library, self.shown = library, []
        self.resample()
        self.choose()

    def choose(self) -> None:
        """Open the list."""
        if self.library is None:
            return
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = LibraryDialog(
            self.library.title, self.library.names, self.shown, self.scale, self._parent
        )
        self.dialog.changed.connect(self.show)
        self.dialog.scaled.connect(self.rescale)
        self.dialog.another.connect(self._ask)
        self.dialog.explain(self._why_not())
        self.dialog.show()

    def show(self, numbers: list[int]) -> None:
        """Draw these spectra of the library."""
        self.shown = list(numbers)
        self.resample()

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

    def rescale(self, factor: float) -> None:
        """Draw the values times this factor, so that they compare with the scene's."""
        self.scale = factor
        self.resample()

    def resample(self) -> None:
        """Bring the spectra to the bands of the active scene."""
        library, scene = self.library, self._workspace.active_scene
        shown, scale = tuple(self.shown), self.scale
        self.curves = {}
        why_not = self._why_not()
        if self.dialog is not None:
            self.dialog.explain(why_not)
        if library is None or scene is None or not shown or why_not:
            self._on_change()
            return

        def run(progress: Progress) -> dict[str, Curve]:
            from backends.spectra.library import resampled

            bands = scene.bands
            there = resampled(library, bands.wavelengths(), bands.fwhm_nm)
            return {
                f"library {n}": Curve(
                    library.names[n],
                    key_color(_FIRST_COLOR + i),
                    there.values[n] * scale,
                    dashed=True,
                )
                for i, n in enumerate(shown)
            }

        def done(curves: dict[str, Curve]) -> None:
            active = self._workspace.active_scene is scene
            if active and tuple(self.shown) == shown and self.scale == scale:
                self.curves = curves
                self._on_change()

        job = Job("Resample spectra", run, scene_id=scene.id, topic="library", quiet=True)
        self._workspace.submit(job, on_result=done)
