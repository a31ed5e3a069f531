"""``python3 -m installer run|test|lock``: set up, start, check. Standard library only."""

from __future__ import annotations

import argparse
import sys

from installer.environment import Trouble, prepare


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands and return its exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m installer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "set up and open the application on the demo scene"),
        ("test", "set up and run linters, type check, import contract and all tests"),
        ("lock", "compile the lock files anew (maintainers)"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--cpu", action="store_true", help="a CPU build of PyTorch")
        command.add_argument("--python", default=sys.executable, help="the Python to use")
        command.add_argument("--offline", action="store_true", help="never touch the network")
        command.add_argument("rest", nargs=argparse.REMAINDER, help="passed on")
    options = parser.parse_args(arguments)
    try:
        if options.command == "lock":
            from installer.locking import compile_locks

            return compile_locks()
        python = prepare(
            test=options.command == "test",
            cpu=options.cpu,
            python=options.python,
            offline=options.offline,
        )
        if options.command == "test":
            from installer.checks import run_checks

            return run_checks(python, options.rest)
        from installer.launch import launch

        return launch(python, options.rest)
    except Trouble as trouble:
        print(f"installer: {trouble}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
