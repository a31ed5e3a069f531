"""The entries of the action table: what each menu and key does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app import exporting
from app.actions import Action
from app.napari_panels import PANELS
from app.samples import SAMPLES, downloads
from app.workbenches import DOCKS, WORKBENCHES, workbench
from backends.magnification import STEPS, magnification_text

if TYPE_CHECKING:
    from app.window import ClearbandWindow

RECENT_SHOWN = 8
MOST_WINDOWS = 8


def add_all(window: ClearbandWindow) -> None:
    """Fill the table of a new window."""
    _add_file(window)
    exporting.add_actions(window)
    _add_edit(window)
    _add_view(window)
    _add_looking(window)
    _add_measuring(window)
    _add_pair(window)
    _add_workbenches(window)
    _add_help(window)


def _add_file(window: ClearbandWindow) -> None:
    opener, add = window.opener, window.actions.add
    add(
        Action(
            "file.open",
            "Open…",
            opener.ask_files,
            "File",
            "Ctrl+O",
            10,
            help="Open images of any format that Clearband knows.",
        ),
        Action(
            "file.open_folder",
            "Open folder…",
            opener.ask_folder,
            "File",
            "Ctrl+Shift+O",
            10,
            help="Open a DICOM series or a Zarr store.",
        ),
    )
    add_recent(window)
    for sample in SAMPLES:
        bench = workbench(sample.workbench).title
        add(
            Action(
                f"sample.{sample.id}",
                f"{sample.title} ({bench})",
                lambda name=sample.id: window.open_sample(name),
                "File/Samples",
                group=20,
                help=sample.about,
            )
        )
    for sample in downloads():
        add(
            Action(
                f"sample.{sample.id}",
                f"{sample.title} ({sample.cost})",
                lambda name=sample.id: window.open_sample(name),
                "File/Samples",
                group=40,
                help=f"{sample.about}. It {sample.terms}; kept once it is here.",
            )
        )
    add(
        Action(
            "file.labels",
            "Load labels…",
            opener.ask_labels,
            "File",
            group=30,
            enabled=window.has_scene,
            help="Read a label file as the training labels of this scene.",
        ),
        Action(
            "file.spectra.keep",
            "Keep copies for quick spectra",
            window.spectra.toggle,
            "File/Quick spectra",
            group=40,
            checked=lambda: window.spectra.keeps_copies,
            help="Large band-by-band files are ordered by pixel once, in the background.",
        ),
        Action(
            "file.spectra.clear",
            "Delete the copies",
            window.spectra.clear,
            "File/Quick spectra",
            group=40,
            help="They are made again when their file is opened.",
        ),
        Action(
            "file.close_scene",
            "Close scene",
            window.close_scene,
            "File",
            "Ctrl+W",
            80,
            enabled=window.has_scene,
        ),
        Action("file.quit", "Quit", window.ask_to_close, "File", "Ctrl+Q", 80),
    )


def add_recent(window: ClearbandWindow) -> None:
    """Bring the list of recent files up to date."""
    for action_id in [a for a in window.actions.table if a.startswith("recent.")]:
        window.actions.remove(action_id)
    for number, path in enumerate(window.settings.recent[:RECENT_SHOWN]):
        name = Path(path)
        window.actions.add(
            Action(
                f"recent.{number}",
                f"{name.name}  –  {name.parent}",
                lambda path=path: window.open_paths([path]),
                "File/Open recent",
                group=20,
                help=path,
            )
        )


def _add_edit(window: ClearbandWindow) -> None:
    canvas, commands = window.canvas, window.workspace.commands
    tools = window.tools
    window.actions.add(
        Action(
            "edit.undo",
            "Undo",
            window.tools.undo,
            "Edit",
            "Ctrl+Z",
            10,
            label=lambda: _step("Undo", commands.undo_label),
            enabled=lambda: commands.undo_label is not None or bool(window.measures.corners),
        ),
        Action(
            "edit.redo",
            "Redo",
            commands.redo,
            "Edit",
            "Ctrl+Shift+Z",
            10,
            also=("Ctrl+Y",),
            label=lambda: _step("Redo", commands.redo_label),
            enabled=lambda: commands.redo_label is not None,
        ),
        Action(
            "edit.brush",
            "Paint labels",
            window.tools.brush,
            "Edit",
            "B",
            20,
            help="Paint training labels of the class in hand; 1 to 9 choose the class.",
        ),
        Action("edit.eraser", "Erase labels", window.tools.eraser, "Edit", "Shift+B", 20),
        Action("edit.smaller", "Smaller brush", tools.smaller_brush, "Edit", ",", 20),
        Action("edit.larger", "Larger brush", tools.larger_brush, "Edit", ".", 20),
        Action(
            "edit.region",
            "Draw region",
            window.tools.lasso,
            "Edit",
            "R",
            30,
            help="Drag around an area; its spectrum appears in the spectrum dock.",
        ),
        *(
            Action(
                f"edit.region_{tool}",
                f"Draw region: {words}",
                lambda tool=tool: window.tools.lasso(tool),  # type: ignore[misc]
                "Edit/Draw region as",
                group=30,
                help=about,
            )
            for tool, words, about in (
                ("polygon", "corner by corner", "Click the corners; a double click closes it."),
                ("ellipse", "ellipse", "Drag from corner to corner of the box around it."),
                ("box", "box", "Drag from corner to corner."),
            )
        ),
        Action(
            "edit.region_wand",
            "Take region with the wand",
            window.tools.take_wand,
            "Edit/Draw region as",
            group=31,
            help="Click a pixel: what is like it becomes a region.",
        ),
        Action(
            "edit.pin",
            "Pin spectrum here",
            canvas.pin_here,
            "Edit",
            "S",
            30,
            help="Keep the spectrum under the mouse.",
        ),
        Action("edit.clear_pins", "Remove all pins", window.workspace.clear_pins, "Edit", group=30),
        Action("edit.cancel", "Put the tool down", window.tools.escape, "Edit", "Esc", 40),
    )
    for number in range(1, 10):
        window.actions.add(
            Action(
                f"edit.class_{number}",
                f"Class {number}",
                lambda number=number: window.tools.choose_class(number),
                "Edit/Class in hand",
                str(number),
                25,
                label=lambda number=number: window.tools.class_title(number),
            )
        )


def _add_view(window: ClearbandWindow) -> None:
    canvas = window.canvas
    window.actions.add(
        Action("view.fit", "Fit to view", canvas.stage.fit, "View", "Ctrl+0", 10),
        Action(
            "view.previous_band", "Previous band", lambda: canvas.step_band(-1), "View", "[", 20
        ),
        Action("view.next_band", "Next band", canvas.next_band, "View", "]", 20),
        Action(
            "view.blink",
            "Blink overlay",
            window.tools.blink,
            "View",
            "Space",
            20,
            help="Switch between the active overlay and the one below it, or the bare picture.",
        ),
        Action("view.composer", "Composer", lambda: window.show_dock("composer"), "View", "C", 30),
        Action(
            "view.matrix",
            "Matrix here",
            window.tools.matrix_here,
            "View",
            "M",
            30,
            help="How the spectrum's parts talk to each other at this pixel.",
        ),
        Action(
            "view.explain",
            "Explain here",
            window.tools.explain_here,
            "View",
            "E",
            30,
            help="Where a network looks in this image, and whether that can be believed.",
        ),
        Action(
            "view.light",
            "Light theme",
            window.toggle_theme,
            "View",
            group=70,
            checked=lambda: window.settings.theme == "light",
        ),
        Action("view.full_screen", "Full screen", window.toggle_full_screen, "View", "F11", 70),
        Action(
            "view.palette",
            "Command palette",
            window.show_palette,
            "View",
            "Ctrl+K",
            70,
            help="Find anything Clearband can do by typing a few letters.",
        ),
    )
    for spec in DOCKS:
        window.actions.add(
            Action(
                f"dock.{spec.id}",
                spec.title,
                lambda name=spec.id: window.toggle_dock(name),
                "View/Docks",
                group=40,
                checked=lambda name=spec.id: window.dock_is_shown(name),
            )
        )
    for name, title in PANELS.items():
        window.actions.add(
            Action(
                f"napari.{name}",
                title,
                lambda name=name: window.panels.toggle(name),
                "View/napari",
                group=50,
                checked=lambda name=name: window.panels.is_shown(name),
            )
        )


def _add_looking(window: ClearbandWindow) -> None:
    looking, tools = window.looking, window.tools
    for step in STEPS:
        text = magnification_text(step)
        window.actions.add(
            Action(
                f"view.magnify_{step:g}",
                f"Magnify {text}",
                lambda step=step: looking.magnify(step),
                "View/Magnification",
                group=15,
                enabled=looking.has_magnification,
                help="As through an objective of that power; from the file's, or its pixel size.",
            )
        )
    window.actions.add(
        Action(
            "view.overview",
            "Overview",
            looking.toggle_overview,
            "View",
            "O",
            15,
            checked=lambda: looking.overview.wanted,
            help="The whole scene in a corner while a part is in view; click it to go there.",
        ),
        Action(
            "view.next_window",
            "Next display window",
            tools.next_window,
            "View/Display window",
            "W",
            16,
            enabled=lambda: bool(tools.windows()),
            help="Mediastinum, lung, bone, brain, abdomen, and the file's own.",
        ),
    )
    for number in range(1, MOST_WINDOWS + 1):
        window.actions.add(
            Action(
                f"view.window_{number}",
                f"Display window {number}",
                lambda number=number: tools.show_window(number),
                "View/Display window",
                f"Alt+{number}",
                17,
                label=lambda number=number: tools.window_title(number),
                checked=lambda number=number: tools.window_is_shown(number),
                enabled=lambda number=number: len(tools.windows()) >= number,
            )
        )


def _add_pair(window: ClearbandWindow) -> None:
    for mode, title, key, about in (
        ("swipe", "Swipe", "X", "Drag the edge between this scene and another one."),
        ("side", "Side by side", "Shift+X", "Two scenes whose views move together."),
    ):
        window.actions.add(
            Action(
                f"view.pair_{mode}",
                title,
                lambda mode=mode: window.tools.pair(mode),
                "View/Two scenes",
                key,
                35,
                checked=lambda mode=mode: window.pair.mode == mode,
                enabled=lambda: len(window.workspace.scenes) > 1,
                help=about,
            )
        )


def _add_measuring(window: ClearbandWindow) -> None:
    tools, add = window.tools, window.actions.add
    for tool, title, key, about in (
        ("distance", "Distance", "D", "Click the corners of a line; a double click ends it."),
        ("area", "Area", "Shift+D", "Click the corners of an area; a double click ends it."),
        ("profile", "Profile along a line", "L", "The values of the shown bands along a line."),
    ):
        add(
            Action(
                f"measure.{tool}",
                title,
                lambda tool=tool: tools.measure(tool),
                "Measure",
                key,
                10,
                enabled=window.has_scene,
                help=about,
            )
        )
    add(
        Action(
            "measure.pixels",
            "Pixel table",
            lambda: tools.measure_page("Pixels"),
            "Measure",
            "P",
            20,
            enabled=window.has_scene,
            help="The values of every band in the pixel under the mouse and around it.",
        ),
        Action(
            "measure.go_to",
            "Go to…",
            tools.go_to,
            "Measure",
            "G",
            20,
            enabled=window.has_scene,
            help="By row and column, map coordinates, latitude and longitude.",
        ),
        Action(
            "measure.extreme",
            "Find the extreme…",
            lambda: tools.measure_page("Find"),
            "Measure",
            group=20,
            enabled=window.has_scene,
            help="Where a band is highest or lowest in view, in the scene or in a region.",
        ),
    )


def _add_workbenches(window: ClearbandWindow) -> None:
    for bench in WORKBENCHES:
        window.actions.add(
            Action(
                f"workbench.{bench.id}",
                bench.title,
                lambda name=bench.id: window.show_workbench(name),
                "Workbench",
                bench.shortcut,
                10,
                checked=lambda name=bench.id: window.workbench == name,
                help=bench.about,
            )
        )
    window.actions.add(
        Action(
            "workbench.reset",
            "Arrange docks as planned",
            window.reset_layout,
            "Workbench",
            group=20,
        )
    )


def _add_help(window: ClearbandWindow) -> None:
    window.actions.add(
        Action("help.what", "What is this", window.tools.what_is_this, "Help", "F1", 10),
        Action("help.keys", "Keys", window.tools.show_keys, "Help", group=10),
        Action("help.about", "About Clearband", window.tools.show_about, "Help", group=20),
    )


def _step(verb: str, label: str | None) -> str:
    return verb if label is None else f"{verb} {label[:1].lower()}{label[1:]}"
