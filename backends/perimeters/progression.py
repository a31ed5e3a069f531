"""The fire from day to day: which day a perimeter counts to, and how it grew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from backends.perimeters.clock import stamp

TURN_OF_DAY = dt.time(6)


@dataclass(frozen=True)
class DayOfFire:
    """The last perimeter of a day.

    Attributes
    ----------
    day : date
    utc : str
    acres, growth_ac : float
    shrank : bool
        It is smaller than the day before: look at it.
    """

    day: dt.date
    utc: str
    acres: float
    growth_ac: float
    shrank: bool


def day_of(when: dt.datetime, zone: dt.tzinfo = dt.UTC) -> dt.date:
    """Return the day a perimeter counts to: before 06:00 local time it is the day before."""
    local = when.astimezone(zone)
    return local.date() - dt.timedelta(days=1) if local.time() < TURN_OF_DAY else local.date()


def growth_series(
    perimeters: Iterable[tuple[dt.datetime, float]], zone: dt.tzinfo = dt.UTC
) -> tuple[DayOfFire, ...]:
    """Return day by day the last perimeter and its growth.

    Parameters
    ----------
    perimeters : iterable of (time, acres)
        In any order.
    """
    last: dict[dt.date, tuple[dt.datetime, float]] = {}
    for when, acres in sorted(perimeters):
        last[day_of(when, zone)] = when, acres
    found: list[DayOfFire] = []
    before = 0.0
    for day, (when, acres) in sorted(last.items()):
        found.append(DayOfFire(day, stamp(when), acres, acres - before, acres < before - 1e-9))
        before = acres
    return tuple(found)
