"""The environment: uv, ``.venv``, the hash-checked lock, the stamp that saves the second time."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "installer" / "locks"
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
OLDEST, NEWEST = (3, 11), (3, 13)
# A CPU build of PyTorch brings none of these, and the registry's torchvision wants CUDA's.
NOT_FOR_CPU = ("torch", "torchvision", "timm", "triton", "nvidia-", "cuda-")


class Trouble(Exception):
    """Something the user can mend; the text says how."""


def platform_name() -> str:
    """Return the name that lock files carry, e.g. ``linux-x86_64``."""
    system = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}.get(platform.system())
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}.get(machine, machine)
    return f"{system}-{machine}"


def lock_file(*, test: bool) -> Path:
    """Return the lock file of this platform.

    Raises
    ------
    Trouble
        There is none.
    """
    name = platform_name()
    path = LOCKS / f"{name}{'-test' if test else ''}.txt"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in LOCKS.glob("*[!t].txt") if p.stem != "uv"))
        raise Trouble(f"There is no lock file for {name}. Clearband runs on: {known}.")
    return path


def venv_python(venv: Path = VENV) -> Path:
    """Return the Python inside an environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare(*, test: bool, cpu: bool, python: str, offline: bool) -> Path:
    """Make the environment match the lock file and return its Python.

    Does nothing, and touches no network, when it matches already.
    """
    version = _version_of(python)
    if not OLDEST <= version <= NEWEST:
        raise Trouble(
            f"Python {version[0]}.{version[1]} is not supported. "
            "Use 3.11, 3.12 or 3.13, for example: python3.11 -m installer run"
        )
    lock = lock_file(test=test)
    if stamp_fits(lock, cpu=cpu):
        return venv_python()
    if offline and not TOOLS.exists() and not _uv().exists():
        raise Trouble("Nothing is installed yet. Run once without --offline, with a network.")
    _bring_uv(offline)
    _make_venv(python, offline)
    print(f"Installing {lock.stem} (hash-checked) …", flush=True)
    requirements = lock.read_text(encoding="utf-8")
    if cpu:
        requirements = without(requirements, NOT_FOR_CPU)
    _sync(requirements, offline)
    if cpu:
        _install_cpu_torch(lock.read_text(encoding="utf-8"), offline)
    _install_project(offline)
    compile_to_bytecode(venv_python())
    (VENV / "clearband-stamp.json").write_text(json.dumps(stamp_of(lock, cpu=cpu)))
    return venv_python()


def stamp_of(lock: Path, *, cpu: bool) -> dict[str, object]:
    """Return what identifies an installed environment."""
    sha = hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes())
    return {"lock": sha.hexdigest(), "cpu": cpu, "root": str(ROOT), "test": "-test" in lock.stem}


def stamp_fits(lock: Path, *, cpu: bool) -> bool:
    """Tell whether what is installed is what the lock file asks for, or more."""
    path = VENV / "clearband-stamp.json"
    if not path.is_file() or not venv_python().exists():
        return False
    found = json.loads(path.read_text())
    if found == stamp_of(lock, cpu=cpu):
        return True
    # The test environment holds all that the plain one holds.
    richer = lock.with_name(f"{lock.stem}-test.txt")
    return richer.is_file() and found == stamp_of(richer, cpu=cpu)


def without(requirements: str, names: tuple[str, ...]) -> str:
    """Return a lock text without the packages whose names begin so."""
    blocks = re.split(r"\n(?=\S)", requirements)
    exact = tuple(n for n in names if not n.endswith("-"))
    prefixes = tuple(n for n in names if n.endswith("-"))

    def kept(block: str) -> bool:
        name = re.split(r"[=\[ ;]", block, maxsplit=1)[0]
        return name not in exact and not name.startswith(prefixes)

    return "\n".join(block for block in blocks if kept(block))


def child_environment() -> dict[str, str]:
    """Return the environment for what runs inside ``.venv``."""
    env = dict(os.environ)
    # Switched-off byte code triples the start-up time.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"):
        env.pop(name, None)
    return env


def compile_to_bytecode(python: Path) -> None:
    """Compile our own packages once, so that no start pays for it."""
    folders = [str(ROOT / name) for name in ("app", "widgets", "backends", "resources")]
    call([str(python), "-m", "compileall", "-q", *folders], quiet=True)


def call(command: list[str], *, quiet: bool = False, env: dict[str, str] | None = None) -> None:
    """Run a command; its failure is a `Trouble`."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=env or child_environment(),
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Trouble(
            f"'{Path(command[0]).name} {command[1]}' failed with code {done.returncode}. "
            "Check the network connection and the free disk space, then try again.\n"
            + (done.stdout or "")[-3000:]
        )


def _version_of(python: str) -> tuple[int, int]:
    if python == sys.executable:
        return sys.version_info[:2]
    code = "import sys; print(*sys.version_info[:2])"
    try:
        said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Trouble(f"{python} is not a Python that starts.") from error
    major, minor = said.stdout.split()
    return int(major), int(minor)


def _uv() -> Path:
    return venv_python(TOOLS).with_name("uv.exe" if os.name == "nt" else "uv")


def _bring_uv(offline: bool) -> None:
    """Install uv, hash-checked, into a folder of its own."""
    if _uv().exists():
        return
    if offline:
        raise Trouble("uv is not installed yet. Run once without --offline, with a network.")
    print("Bringing uv …", flush=True)
    call([sys.executable, "-m", "venv", str(TOOLS)], quiet=True)
    pip = [str(venv_python(TOOLS)), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    call([*pip, "--require-hashes", "-r", str(LOCKS / "uv.txt")], quiet=True)


def _make_venv(python: str, offline: bool) -> None:
    if venv_python().exists() and _version_of(str(venv_python())) == _version_of(python):
        return
    command = [str(_uv()), "venv", "--quiet", "--clear", "--python", python, str(VENV)]
    call(command + (["--offline"] if offline else []))


def _sync(requirements: str, offline: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lock.txt"
        path.write_text(requirements, encoding="utf-8")
        command = [str(_uv()), "pip", "sync", "--quiet", "--python", str(venv_python())]
        command += ["--require-hashes", "--compile-bytecode", str(path)]
        env = child_environment()
        env["UV_HTTP_TIMEOUT"] = env.get("UV_HTTP_TIMEOUT", "300")
        call(command + (["--offline"] if offline else []), env=env)


def _install_cpu_torch(lock: str, offline: bool) -> None:
    """Install the CPU build of the locked PyTorch from where the user's settings reach one."""
    version = re.search(r"^torch==([0-9.]+)", lock, re.MULTILINE)
    assert version is not None
    uv = [str(_uv()), "pip", "install", "--quiet", "--python", str(venv_python()), "--no-deps"]
    for place in _find_links():
        uv += ["--find-links", place]
    if offline:
        uv.append("--offline")
    try:
        call([*uv, f"torch=={version[1]}+cpu"], quiet=True)
    except Trouble:
        print("No CPU build of PyTorch can be reached; installing the default build instead.")
        _sync(lock, offline)
        return
    vision = re.search(r"^torchvision==([0-9.]+)", lock, re.MULTILINE)
    try:
        call([*uv, f"torchvision=={vision[1] if vision else ''}+cpu", "timm"], quiet=True)
    except Trouble:
        print(
            "No CPU build of torchvision can be reached; torchvision and timm are left out. "
            "Models that need them will say so."
        )


def _find_links() -> list[str]:
    """Return the extra places that pip is set up to look in; uv does not look there itself."""
    found = os.environ.get("PIP_FIND_LINKS", "").split()
    pip = [str(venv_python(TOOLS)), "-m", "pip", "config", "get", "global.find-links"]
    said = subprocess.run(pip, capture_output=True, text=True, check=False)
    return list(dict.fromkeys([*found, *said.stdout.split()]))


def _install_project(offline: bool) -> None:
    """Register the command and the napari plugin, pointing at this folder."""
    command = [str(_uv()), "pip", "install", "--quiet", "--python", str(venv_python())]
    command += ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    call(command + (["--offline"] if offline else []), quiet=True)
