"""Review states: a draft becomes a verified line only by a name, a time and an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from backends.errors import BadInput, WrongUse


class ReviewState(Enum):
    """Where a perimeter stands."""

    DRAFT = "draft"
    IN_REVIEW = "in review"
    VERIFIED = "verified"
    SUPERSEDED = "superseded"

    @property
    def status(self) -> str:
        """FeatureStatus of the trade's schema."""
        return _STATUS[self]

    @property
    def may_be_edited(self) -> bool:
        """Whether geometry may change."""
        return self in (ReviewState.DRAFT, ReviewState.IN_REVIEW)

    @property
    def is_signed(self) -> bool:
        """Whether somebody answers for it."""
        return self in (ReviewState.VERIFIED, ReviewState.SUPERSEDED)


_STATUS = {
    ReviewState.DRAFT: "Proposed",
    ReviewState.IN_REVIEW: "Proposed",
    ReviewState.VERIFIED: "Approved",
    ReviewState.SUPERSEDED: "Archive",
}
_WAYS = {
    ReviewState.DRAFT: (ReviewState.IN_REVIEW,),
    ReviewState.IN_REVIEW: (ReviewState.DRAFT, ReviewState.VERIFIED),
    ReviewState.VERIFIED: (ReviewState.IN_REVIEW, ReviewState.SUPERSEDED),
    ReviewState.SUPERSEDED: (),
}


def checked_step(before: ReviewState, after: ReviewState) -> None:
    """Look whether a state may follow another.

    Raises
    ------
    WrongUse
        It may not.
    """
    if after not in _WAYS[before]:
        ways = ", ".join(state.value for state in _WAYS[before]) or "nothing"
        raise WrongUse(
            f"A perimeter that is {before.value} cannot become {after.value}.",
            way_out=f"It can become: {ways}.",
        )


@dataclass(frozen=True)
class Signature:
    """Who answers for a line, since when, on which image."""

    who: str
    utc: str
    image: str
    image_digest: str

    def __post_init__(self) -> None:
        if not self.who.strip():
            raise BadInput("A perimeter is verified by somebody.", way_out="Give a name.")
        if not self.image_digest:
            raise BadInput(
                "It isn't known on which image the line was drawn, so it cannot be verified.",
                way_out="Name the image.",
            )

    def to_dict(self) -> dict[str, str]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Waiver:
    """Why a check that failed does not hold up the delivery."""

    check: str
    who: str
    utc: str
    reason: str
    found: str

    def __post_init__(self) -> None:
        if len(self.reason.strip()) < 3:
            raise BadInput(
                f"{self.check} can only be waived with a reason.", way_out="Say why it is right."
            )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Waiver:
        """Rebuild from plain values."""
        return cls(**{k: str(values[k]) for k in cls.__dataclass_fields__})

    def to_dict(self) -> dict[str, str]:
        """Return plain values."""
        return asdict(self)
