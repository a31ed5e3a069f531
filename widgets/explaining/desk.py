"""What the pages of the explain dock share: the heatmap, and the answers it belongs to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from backends.jobs import Job, JobHandle, Progress
from backends.overlays import Heatmap, Overlay
from backends.workspace import Workspace
from widgets.background import listen
from widgets.boards import LayerBoard
from widgets.explaining.questions import Answer, Assess, Explain, LoadedNetworks, Look, Question
from widgets.explaining.slice_maps import SliceMaps
from widgets.pages import PageDesk

# Answers hold what the network saw; of a cube that is much.
ANSWERS_KEPT = 6


class Desk(PageDesk):
    """Knows the heatmap the pages speak of, and what is needed to measure it."""

    topic = "explain"
    field: Heatmap | None
    answered = pyqtSignal(object)  # an Answer, whole or without its trust
    listed = pyqtSignal()  # there are other heatmaps on the scene

    def __init__(
        self, workspace: Workspace, parent: QObject, board: LayerBoard | None = None
    ) -> None:
        super().__init__(workspace, parent)
        self._board = board
        self.slices = SliceMaps(workspace, board)
        self.networks = LoadedNetworks()
        self.answers: OrderedDict[str, Answer] = OrderedDict()
        self.question: Question | None = None
        for signal in (workspace.active_overlay_changed, workspace.active_scene_changed):
            listen(self, signal, self._follow)
        listen(self, workspace.overlay_added, self._on_overlay)
        listen(self, workspace.overlay_removed, self._on_removed)
        listen(self, workspace.overlay_replaced, lambda before, now: self._on_overlay(now))

    # -- what there is -------------------------------------------------------------------

    @property
    def heatmaps(self) -> list[Heatmap]:
        """The heatmaps of the active scene, oldest first."""
        scene = self.workspace.active_scene
        if scene is None:
            return []
        return [o for o in self.workspace.overlays_of(scene.id) if isinstance(o, Heatmap)]

    @property
    def answer(self) -> Answer | None:
        """What the heatmap came from; None for one from a file or an earlier session."""
        return None if self.field is None else self.answers.get(self.field.id)

    def _on_overlay(self, overlay: Overlay) -> None:
        if isinstance(overlay, Heatmap):
            self._follow()
            self.listed.emit()

    def _on_removed(self, overlay: Overlay) -> None:
        self.answers.pop(overlay.id, None)
        self.slices.forget(overlay.id)
        self._on_overlay(overlay)

    def _follow(self, *_: object) -> None:
        """Speak of the active heatmap, else of the same as before, else of the newest."""
        maps, active = self.heatmaps, self.workspace.active_overlay
        found = maps[-1] if maps else None
        if self.field is not None:
            found = next((m for m in maps if m.id == self.field.id), found)
        found = next((m for m in maps if active is not None and m.id == active.id), found)
        if found is not self.field:
            self.field = found
            self.changed.emit()

    # -- what is done --------------------------------------------------------------------

    def explain(self, question: Question) -> JobHandle[Answer]:
        """Make a map; it lands on the scene it was asked for, or nowhere."""
        self.question = question
        work = Explain(question, self.networks)
        job: Job[Answer] = Job(
            f"Explain {question.scene.title} with {question.choice.title}",
            work,
            scene_id=question.scene.id,
            parameters={"model": question.choice.title, "method": question.how},
            command=question.command,
            topic=self.topic,
        )
        return self.workspace.submit(job, on_result=self.take, on_partial=self._take_part)

    def look(self, question: Question) -> JobHandle[Answer]:
        """Ask what the network says, without a map."""
        job: Job[Answer] = Job(
            f"Ask {question.choice.title} about {question.scene.title}",
            Look(question, self.networks),
            scene_id=question.scene.id,
            topic=self.topic,
        )
        return self.workspace.submit(job, on_result=self.answered.emit)

    def assess(self, work: Assess) -> JobHandle[Answer]:
        """Measure a heatmap's trust."""
        scene = work.answer.question.scene
        assert work.answer.overlay is not None
        job: Job[Answer] = Job(
            f"Assess {work.answer.overlay.title}",
            work,
            scene_id=scene.id,
            command=work.command,
            topic=f"{self.topic} trust",
        )
        return self.workspace.submit(job, on_result=self.take)

    def take(self, answer: Answer) -> None:
        """Lay a map over its scene, or give the one that is there its trust."""
        overlay = answer.overlay
        if overlay is None:
            return
        if not self.slices.keep(answer):
            return  # of a slice that is no longer on the screen; it waits there
        shown = self.workspace.overlays.get(overlay.id)
        if isinstance(shown, Heatmap) and isinstance(overlay, Heatmap) and not shown.partial:
            # The user may have given it other colours or another name meanwhile.
            overlay = replace(shown, trust=overlay.trust, provenance=overlay.provenance)
        self._keep(overlay.id, answer)
        if self.workspace.add_overlay(overlay) and shown is None:
            self.bring_to_front(overlay)
        self.changed.emit()
        self.answered.emit(answer)

    def _keep(self, overlay_id: str, answer: Answer | None) -> None:
        if answer is None:
            self.answers.pop(overlay_id, None)
            return
        self.answers[overlay_id] = answer
        while len(self.answers) > ANSWERS_KEPT:
            self.answers.popitem(last=False)

    def show_slice(self, scene_id: str, number: int) -> None:
        """Another slice of a volume is on the screen, numbered from 0."""
        self.slices.show(scene_id, number, self._keep)

    def _take_part(self, part: Any) -> None:
        if isinstance(part, Answer):
            self.take(part)
        elif isinstance(part, Overlay):
            first = part.id not in self.workspace.overlays
            if self.workspace.add_overlay(part) and first:
                self.bring_to_front(part)

    def bring_to_front(self, overlay: Overlay) -> None:
        """Show a map and hide the scene's other heatmaps: two at a time would mix."""
        if self._board is not None:
            shown = not (isinstance(overlay, Heatmap) and one_value(overlay))
            for other in self.workspace.overlays_of(overlay.scene_id):
                if isinstance(other, Heatmap) and other.id != overlay.id:
                    self._board.change(overlay.scene_id, other.id, visible=False)
            self._board.change(overlay.scene_id, overlay.id, visible=shown)
        scene = self.workspace.active_scene
        if scene is not None and scene.id == overlay.scene_id:
            self.workspace.activate_overlay(overlay.id)

    def change_view(self, heatmap: Heatmap, **changes: Any) -> None:
        """Look at a heatmap in another way."""
        shown = self.workspace.overlays.get(heatmap.id)
        if isinstance(shown, Heatmap):
            view = replace(shown.view, **changes)
            if view != shown.view:
                self.workspace.add_overlay(replace(shown, view=view))

    def quiet(
        self, title: str, topic: str, run: Callable[[Progress], Any], show: Callable[[Any], None]
    ) -> JobHandle[Any]:
        """Compute something small for a page; a newer question of the kind takes its place."""
        job: Job[Any] = Job(title, run, topic=f"{self.topic} {topic}", quiet=True)
        return self.workspace.submit(job, on_result=show)


def one_value(heatmap: Heatmap) -> bool:
    """Tell whether a map is of the spectrum only, and would but colour the whole image."""
    return heatmap.provenance.method == "occlusion_spectral"


def short_title(heatmap: Heatmap, among: list[Heatmap]) -> str:
    """Return a name that tells the heatmaps of a scene apart: method, class, network."""
    said = heatmap.provenance.parameters
    model = str(said.get("model_title", "")).split(",")[0]
    title = heatmap.title.split(" at ")[0] + (f" · {model}" if model else "")
    alike = [m for m in among if m.title == heatmap.title]
    if len(alike) > 1:
        number = 1 + next((k for k, m in enumerate(alike) if m.id == heatmap.id), 0)
        title += f" ({number})"
    return title
