"""Places as people write them: row and column, map coordinates, latitude and longitude."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backends.errors import BadInput, WrongUse
from backends.georeference import GeolocationTable, GeoReference
from backends.scene import Scene

KINDS = {
    "row_col": "Row, column",
    "map": "Map x, y",
    "lat_lon": "Latitude, longitude",
}
EXAMPLES = {
    "row_col": "120, 340",
    "map": "367015, 5811985",
    "lat_lon": "52.3906 N 13.0645 E, or 52°23'26\" 13°3'52\"",
}
_NUMBER = r"[+-]?\d+(?:\.\d*)?|[+-]?\.\d+"
_TOKEN = re.compile(rf"(?P<number>{_NUMBER})|(?P<letter>[NSEWO])|(?P<mark>[°'\"])|(?P<apart>,)")
_WORDS = {
    "NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W", "LATITUDE": "", "LONGITUDE": "",
    "LAT": "", "LONG": "", "LON": "", "DEG": "°", "MIN": "'", "SEC": '"',
}  # fmt: skip
_SIGNS = {"′": "'", "’": "'", "´": "'", "″": '"', "”": '"', "“": '"', "º": "°", "˚": "°",
          "−": "-", "–": "-"}  # fmt: skip


@dataclass(frozen=True)
class WrittenPlace:
    """A place as it was written.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    first, second : float
        Row and column, map x and y, or latitude and longitude in degrees.
    """

    kind: str
    first: float
    second: float


def parse_place(text: str, kind: str = "row_col") -> WrittenPlace:
    """Read a place.

    Parameters
    ----------
    text : str
        Degrees may be decimal, or with minutes and seconds; a letter (N, S, E, W) or a degree
        sign says that it is latitude and longitude whatever ``kind`` says.
    kind : str
        One of `KINDS`.

    Raises
    ------
    BadInput
        It is no such place: one sentence with the way out.
    """
    if kind not in KINDS:
        raise WrongUse(f"{kind} is no kind of place.", way_out=f"There are {', '.join(KINDS)}.")
    plain = _plain(text)
    if not plain:
        raise BadInput("No place is given.", way_out=f"Write it like {EXAMPLES[kind]}.")
    if kind == "map":
        return WrittenPlace("map", *_map_pair(plain, text))
    if kind == "lat_lon" or re.search(r"(?<![A-Z])[NSEWO](?![A-Z])|°", plain):
        return WrittenPlace("lat_lon", *_degrees_pair(plain, text))
    plain = re.sub(r"ROWS?|COL(?:UMN)?S?|[RC](?=[\s:=\d])|[:=]", " ", plain)
    return WrittenPlace("row_col", *_pair(plain, text, "row_col"))


def to_pixel(scene: Scene, place: WrittenPlace) -> tuple[float, float]:
    """Return row and column of a place in a scene; whole numbers are pixel centres.

    May read a table of coordinates: not for the window's thread.

    Raises
    ------
    BadInput
        The scene has no coordinates of that kind, or the place lies outside it.
    """
    if place.kind == "row_col":
        found: tuple[float, float] | None = place.first, place.second
    elif scene.place is None:
        raise BadInput(
            f"{scene.title} does not say where on Earth it lies.",
            way_out="Give a row and a column.",
        )
    elif place.kind == "map":
        if isinstance(scene.place, GeolocationTable):
            raise BadInput(
                f"{scene.title} knows latitude and longitude only, no map.",
                way_out="Give a latitude and a longitude.",
            )
        found = scene.place.to_pixel(place.first, place.second)
    else:
        found = scene.place.from_lonlat(place.second, place.first)
        if found is None and isinstance(scene.place, GeoReference):
            raise BadInput(
                f"{scene.title} has no coordinate system that knows latitudes.",
                way_out="Give map coordinates, or a row and a column.",
            )
    rows, cols, _ = scene.shape
    if found is None or not (-0.5 <= found[0] <= rows - 0.5 and -0.5 <= found[1] <= cols - 0.5):
        raise BadInput(f"That place lies outside {scene.title}.", way_out=_covers(scene, place))
    return min(max(found[0], 0.0), rows - 1.0), min(max(found[1], 0.0), cols - 1.0)


def place_words(scene: Scene, row: float, col: float) -> dict[str, str]:
    """Return a pixel in every way it can be written, by the names of `KINDS`."""
    out = {"row_col": f"{row:g}, {col:g}"}
    place = scene.place
    if isinstance(place, GeoReference):
        x, y = place.to_map(row, col)
        digits = 6 if place.is_geographic else 2
        out["map"] = f"{x:.{digits}f}, {y:.{digits}f}"
    lonlat = None if place is None else place.to_lonlat(row, col)
    if lonlat is not None:
        out["lat_lon"] = f"{lonlat[1]:.6f}, {lonlat[0]:.6f}"
        out["dms"] = dms(lonlat[1], "NS") + " " + dms(lonlat[0], "EW")
    return out


def dms(degrees: float, letters: str) -> str:
    """Return degrees, minutes and seconds to 0.01″: ``52°23′26.16″N``."""
    hundredths = round(abs(degrees) * 360_000)
    minutes, left = divmod(hundredths, 6000)
    whole, minutes = divmod(minutes, 60)
    return f"{whole}°{minutes:02d}′{left / 100:05.2f}″{letters[degrees < 0]}"


def _plain(text: str) -> str:
    out = text.strip()
    for sign, usual in _SIGNS.items():
        out = out.replace(sign, usual)
    out = re.sub("(?<=\\d)[\u202f\u00a0\u2009](?=\\d)", "", out)  # between groups of digits
    out = out.upper().replace("''", '"')
    for word in sorted(_WORDS, key=len, reverse=True):
        out = re.sub(rf"\b{word}\b", _WORDS[word], out)
    if ";" in out:  # then a comma is a decimal sign
        out = out.replace(",", ".").replace(";", ",")
    return out.strip(" ()[]")


def _pair(plain: str, text: str, kind: str) -> tuple[float, float]:
    parts = [p for p in re.split(r"[,\s]+", plain) if p]
    if len(parts) != 2 or not all(re.fullmatch(_NUMBER, p) for p in parts):
        raise _unread(text, kind)
    return float(parts[0]), float(parts[1])


def _map_pair(plain: str, text: str) -> tuple[float, float]:
    first = re.search(r"[A-Z]", plain)
    turned = first is not None and first.group() in "NY"
    x, y = _pair(re.sub(r"[ENXY]\s*[:=]?", " ", plain), text, "map")
    return (y, x) if turned else (x, y)


def _degrees_pair(plain: str, text: str) -> tuple[float, float]:
    tokens = []
    at = 0
    for found in _TOKEN.finditer(plain):
        if plain[at : found.start()].strip(" \t:"):
            raise _unread(text, "lat_lon")
        tokens.append((str(found.lastgroup), found.group()))
        at = found.end()
    if plain[at:].strip():
        raise _unread(text, "lat_lon")
    halves = _halves(tokens, text)
    (one, letter), (other, other_letter) = (_angle(half, text) for half in halves)
    if letter and other_letter and (letter in "NS") == (other_letter in "NS"):
        raise BadInput(
            f"Both numbers of {text.strip()} are {'latitudes' if letter in 'NS' else 'longitudes'}."
        )
    if letter in tuple("EWO") or other_letter in tuple("NS"):
        one, other = other, one
    if not -90 <= one <= 90:
        raise BadInput(
            f"A latitude lies between -90 and 90 degrees, not at {one:g}.",
            way_out="Give the latitude first, or name the sides: 13.06 E 52.39 N.",
        )
    if not -180 <= other <= 360:
        raise BadInput(f"A longitude lies between -180 and 180 degrees, not at {other:g}.")
    return one, other - 360 if other > 180 else other


def _halves(tokens: list[tuple[str, str]], text: str) -> list[list[tuple[str, str]]]:
    """Part the marks of two angles where one ends: at the comma, at the letter, in the middle."""
    commas = [i for i, (kind, _) in enumerate(tokens) if kind == "apart"]
    letters = [i for i, (kind, _) in enumerate(tokens) if kind == "letter"]
    numbers = [i for i, (kind, _) in enumerate(tokens) if kind == "number"]
    degrees = [i for i, (_, sign) in enumerate(tokens) if sign == "°"]
    if len(commas) > 1 or len(letters) > 2:
        raise _unread(text, "lat_lon")
    if commas:
        parts = tokens[: commas[0]], tokens[commas[0] + 1 :]
    elif len(letters) == 2 and letters[0] == 0:
        parts = tokens[: letters[1]], tokens[letters[1] :]
    elif letters and letters[0] not in (0, len(tokens) - 1):
        parts = tokens[: letters[0] + 1], tokens[letters[0] + 1 :]
    elif len(degrees) == 2:
        parts = tokens[: degrees[1] - 1], tokens[degrees[1] - 1 :]
    elif len(numbers) in (2, 4, 6):
        middle = numbers[len(numbers) // 2]
        parts = tokens[:middle], tokens[middle:]
    else:
        raise _unread(text, "lat_lon")
    return [list(parts[0]), list(parts[1])]


def _angle(tokens: list[tuple[str, str]], text: str) -> tuple[float, str]:
    numbers = [sign for kind, sign in tokens if kind == "number"]
    letters = [sign for kind, sign in tokens if kind == "letter"]
    if not 1 <= len(numbers) <= 3 or len(letters) > 1:
        raise _unread(text, "lat_lon")
    if any("." in n for n in numbers[:-1]) or any(n[0] in "+-" for n in numbers[1:]):
        raise _unread(text, "lat_lon")
    if letters and numbers[0][0] in "+-":
        raise BadInput(
            f"{text.strip()} has a sign and a side at once.", way_out="Give one of them."
        )
    parts = [abs(float(n)) for n in numbers]
    for value, what in zip(parts[1:], ("minutes", "seconds"), strict=False):
        if value >= 60:
            raise BadInput(f"There are less than 60 {what}, not {value:g}.")
    size = sum(value / 60**power for power, value in enumerate(parts))
    letter = letters[0] if letters else ""
    negative = numbers[0][0] == "-" or letter in ("S", "W")
    return (-size if negative else size), letter


def _unread(text: str, kind: str) -> BadInput:
    return BadInput(
        f"{text.strip()[:60]} is no {KINDS[kind].lower()}.",
        way_out=f"Write it like {EXAMPLES[kind]}.",
    )


def _covers(scene: Scene, place: WrittenPlace) -> str:
    rows, cols, _ = scene.shape
    if place.kind == "row_col" or scene.place is None:
        return f"It has rows 0 to {rows - 1} and columns 0 to {cols - 1}."
    ends = [(0, 0), (0, cols - 1), (rows - 1, 0), (rows - 1, cols - 1)]
    if place.kind == "map":
        found = [scene.place.to_map(*end) for end in ends]
        (x0, y0), (x1, y1) = ([f(v) for v in zip(*found, strict=True)] for f in (min, max))
        return f"It covers x {x0:.8g} to {x1:.8g} and y {y0:.8g} to {y1:.8g}."
    known = [p for p in (scene.place.to_lonlat(*end) for end in ends) if p is not None]
    if not known:
        return ""
    (w, s), (e, n) = ([f(v) for v in zip(*known, strict=True)] for f in (min, max))
    return f"It covers latitudes {s:.4f} to {n:.4f} and longitudes {w:.4f} to {e:.4f}."
