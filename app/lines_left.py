"""At the start: a line that was being drawn when Clearband died is offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.errors import ClearbandError
from backends.jobs import Job, JobHandle, Progress
from backends.perimeters.scenes import LeftLine, left_line

if TYPE_CHECKING:
    from app.main_window import ClearbandWindow


def offer(window: ClearbandWindow) -> JobHandle[LeftLine | None]:
    """Offer to open the image of the line; opening that brings the line back."""

    def run(progress: Progress) -> LeftLine | None:
        try:
            return left_line()
        except ClearbandError:
            return None  # said when its image is opened

    def take(left: LeftLine | None) -> None:
        if left is None:
            return
        called = f"The line of {left.incident}" if left.incident else "A line"
        image = left.image
        if image is None:
            window.tell(
                f"{called} was being drawn when Clearband closed. Open its image, and it is back.",
                "warning",
            )
            return

        def restore() -> None:
            window.show_workbench("fire")
            window.open_paths([image])
            window.show_dock("perimeter")

        window.tell(
            f"{called} was being drawn on {image.name} when Clearband closed; nothing is lost.",
            "warning",
            actions=[("Go on with it", restore)],
        )

    return window.workspace.submit(Job("Look for lines left", run, quiet=True), on_result=take)
