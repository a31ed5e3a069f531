"""Times of a perimeter: always UTC, always written the same, never in the future."""

from __future__ import annotations

import datetime as dt

from backends.errors import BadInput

# Clocks of two machines differ a little.
TOLERANCE = dt.timedelta(minutes=5)


def now() -> dt.datetime:
    """Return the time now, UTC."""
    return dt.datetime.now(dt.UTC)


def stamp(when: dt.datetime | None = None) -> str:
    """Return ``2026-08-29T04:12:00Z``."""
    when = when or now()
    return when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed(text: str, what: str = "The time") -> dt.datetime:
    """Read a time; one without a zone counts as UTC.

    Raises
    ------
    BadInput
        It is no time.
    """
    try:
        found = dt.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadInput(
            f"{what} is not a time: {text[:40]}.",
            way_out="Write it in UTC, for example 2026-08-29T04:12Z.",
        ) from error
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def not_in_future(when: dt.datetime, what: str) -> dt.datetime:
    """Return a time that has been.

    Raises
    ------
    BadInput
        It lies in the future.
    """
    if when > now() + TOLERANCE:
        raise BadInput(
            f"{what} lies in the future ({stamp(when)}; now it is {stamp()}).",
            way_out="Check the time given and the clock of this computer; times are UTC.",
        )
    return when
