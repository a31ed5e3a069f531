"""Which images belong together: one patient, one slide, one stretch of numbers.

Images of one group never stand on both sides of a split, or the network is asked what it
has seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backends.errors import WrongUse

_NUMBER = re.compile(r"^(.*?)(\d+)\D*$")


@dataclass(frozen=True)
class GroupRule:
    """How groups are found; without any, each image is a group of its own.

    Attributes
    ----------
    pattern : str
        Regular expression with one group, searched in the file name with its folders below
        the class folder (``"p12/slice_3.png"``): ``r"^(p\\d+)/"``.
    block : int
        So many neighbouring numbers in the file name are one group; 0 = off. Names that
        differ before the number are series of their own.
    gap : int
        With ``block``: numbers that have to lie between images of two parts. Images that lie
        closer are left out, since a patient may straddle the border of two blocks.
    """

    pattern: str = ""
    block: int = 0
    gap: int = 0

    def __post_init__(self) -> None:
        if self.pattern and self.block:
            raise WrongUse("Groups come from a pattern or from blocks of numbers, not from both.")
        if self.block < 0 or self.gap < 0:
            raise WrongUse("The size of a block and the gap are not negative.")
        if self.gap and not self.block:
            raise WrongUse("A gap goes with blocks of numbers.", way_out="Set the block too.")
        if not self.pattern:
            return
        try:
            count = re.compile(self.pattern).groups
        except re.error as error:
            raise WrongUse(
                f"The group pattern {self.pattern} cannot be read.", details=str(error)
            ) from error
        if count != 1:
            raise WrongUse(
                f"The group pattern {self.pattern} needs one pair of brackets around what names "
                f"the group; it has {count}.",
                way_out=r"For patients p1, p2 … at the start of the names: ^(p\d+)_",
            )

    @property
    def about(self) -> str:
        """In words."""
        if self.pattern:
            return f"groups from the file names by {self.pattern}"
        if self.block:
            gap = f", {self.gap} numbers apart" if self.gap else ""
            return f"groups of {self.block} neighbouring numbers{gap}"
        return "no groups: each image stands for itself"


@dataclass(frozen=True)
class Groups:
    """Groups of images, in the order of the images.

    Attributes
    ----------
    names : tuple of str
        Group of each image.
    series, number : tuples
        With blocks: what stands before the number, and the number; else empty.
    notes : tuple of str
    """

    names: tuple[str, ...]
    series: tuple[str, ...] = ()
    number: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether neighbours in number are neighbours in fact."""
        return bool(self.number)


def find_groups(names: Sequence[str], given: Sequence[str], rule: GroupRule) -> Groups:
    """Return the group of each image.

    Parameters
    ----------
    names : sequence of str
        File names with their folders below the class folder, ``/`` between them.
    given : sequence of str
        Groups from a column; empty strings where there is none.
    rule : GroupRule
        Used where no column says it.

    Raises
    ------
    WrongUse
        The pattern fits no name, or no name holds a number.
    """
    if any(given):
        own = tuple(g or f"file {n}" for g, n in zip(given, names, strict=True))
        lone = sum(not g for g in given)
        note = (f"{lone} images name no group; each stands for itself.",) if lone else ()
        return Groups(own, notes=note)
    if rule.pattern:
        return _by_pattern(names, re.compile(rule.pattern))
    if rule.block:
        return _by_number(names, rule.block)
    return Groups(tuple(f"file {n}" for n in names))


def _by_pattern(names: Sequence[str], pattern: re.Pattern[str]) -> Groups:
    found, missing = [], 0
    for name in names:
        hit = pattern.search(name)
        text = hit.group(1) if hit else None
        missing += not text
        found.append(text or f"file {name}")
    if missing == len(names):
        raise WrongUse(
            f"The group pattern {pattern.pattern} fits none of the file names.",
            way_out=f"The first one is {names[0]}.",
        )
    note = (f"The group pattern fits {missing} names not; each stands for itself.",)
    return Groups(tuple(found), notes=note if missing else ())


def _by_number(names: Sequence[str], block: int) -> Groups:
    groups, series, numbers, missing = [], [], [], 0
    for name in names:
        hit = _NUMBER.match(name.rsplit(".", 1)[0])
        if hit is None:
            missing += 1
            groups.append(f"file {name}")
            series.append(f"file {name}")
            numbers.append(0)
            continue
        before, number = hit.group(1), int(hit.group(2))
        low = number // block * block
        groups.append(f"{before}{low}–{low + block - 1}")
        series.append(before)
        numbers.append(number)
    if missing == len(names):
        raise WrongUse(
            "The file names hold no numbers, so that blocks of numbers cannot be groups.",
            way_out=f"The first one is {names[0]}.",
        )
    note = (f"{missing} file names hold no number; each image stands for itself.",)
    return Groups(tuple(groups), tuple(series), tuple(numbers), note if missing else ())
