"""The table of commands and what all have in common: exit codes, ``--json``, errors."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated

import typer

from app.cli.console import json_text, report_error
from backends.errors import Cancelled, ClearbandError

app = typer.Typer(
    name="clearband",
    help="Look at an image, let a model read it, and answer for what it said.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Look at an image, let a model read it, and answer for what it said.

    Without a command the window opens, with the files you name.
    """
    if version:
        from backends import __version__

        print(f"clearband {__version__}")
        raise typer.Exit


# The class of all wrong uses; typer carries its own copy of click, so it is reached this way.
_USAGE_ERROR = typer.BadParameter.__bases__[0]

# Each module adds its command when it is imported; only the one asked for is.
_MODULES = {
    "open": "app.cli.open_window",
    "info": "app.cli.info",
    "models": "app.cli.models",
    "classify": "app.cli.classify",
    "assess": "app.cli.assess",
    "export": "app.cli.export",
    "perimeter": "app.cli.perimeter",
    "whitebox": "app.cli.whitebox",
    "finetune": "app.cli.finetune",
    "explain": "app.cli.explain",
    "fire": "app.cli.fire_more",
    "study": "app.cli.study",
    "concepts": "app.cli.concepts",
    "bottleneck": "app.cli.bottleneck",
    "spectra": "app.cli.spectra",
    "tour": "app.cli.tour",
    "doctor": "app.cli.doctor",
    "replay": "app.cli.replay",
    "bench": "app.cli.bench",
}


def invoke(words: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    wanted = next((w for w in words if w in _MODULES), None)
    known = {found.name for found in (*app.registered_commands, *app.registered_groups)}
    # A group added without a name of its own carries it on its typer.
    known |= {group.typer_instance.info.name for group in app.registered_groups}
    for name, module in _MODULES.items():
        if (wanted is None or name == wanted) and name not in known:
            importlib.import_module(module)
    command = typer.main.get_command(app)
    try:
        result = command.main(args=list(words), prog_name="clearband", standalone_mode=False)
    except _USAGE_ERROR as error:
        error.show()  # type: ignore[attr-defined]
        if "--json" in words:
            message = error.format_message()  # type: ignore[attr-defined]
            print(json_text({"error": message, "exit_code": 2}))
        return 2
    except typer.Exit as error:
        return int(error.exit_code)
    except (typer.Abort, ClearbandError, Cancelled, KeyboardInterrupt) as error:
        cause = Cancelled() if isinstance(error, typer.Abort) else error
        return report_error(cause, as_json="--json" in words)
    return int(result or 0)
