"""A perimeter while it is worked on: objects, review state, undo, and the trail of who did what.

Every change is one plain record. It is applied, written to the trail and handed to the journal;
undo applies its opposite the same way, so that the trail tells that, too.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from psygnal import Signal

from backends.commands import Command, CommandStack
from backends.errors import BadInput, WrongUse
from backends.perimeters.audit import AuditEntry, AuditTrail
from backends.perimeters.beside import Beside
from backends.perimeters.clock import TOLERANCE, not_in_future, now, parsed, stamp
from backends.perimeters.heat import Feature, HeatClass
from backends.perimeters.review import ReviewState, Signature, Waiver, checked_step
from backends.perimeters.schema import checked
from backends.perimeters.stretch import Points, Stretch, put_back

if TYPE_CHECKING:
    from backends.perimeters.checks import Check

FORMAT = "clearband perimeter 1"
Change = dict[str, Any]


class PerimeterDocument:
    """Outlines of one fire at one time.

    Parameters
    ----------
    crs : str
        Projected, in metres.
    features : sequence of Feature
    attributes : mapping
        Schema values of the whole (IncidentName, IRWINID …).
    image, image_digest, image_utc : str
        What it was drawn on, and when that was taken.
    pixel_m : float
        Ground size of its pixels.
    previous : shapely polygon or None
        Yesterday's line, in the same coordinate system; how it is called, and when it was.
    origin : mapping
        How a proposal came about: settings, notes, interval, provenance.
    who : str
        Whoever makes it.

    Attributes
    ----------
    changed : Signal
        Something is different from before.
    written : Signal(dict, AuditEntry)
        A change and its line of the trail; the journal listens.
    """

    changed = Signal()
    written = Signal(object, object)

    def __init__(
        self,
        crs: str,
        features: Sequence[Feature] = (),
        *,
        attributes: Mapping[str, Any] | None = None,
        image: str = "",
        image_digest: str = "",
        image_utc: str = "",
        pixel_m: float = 10.0,
        previous: Any = None,
        previous_label: str = "",
        previous_utc: str = "",
        origin: Mapping[str, Any] | None = None,
        who: str = "",
    ) -> None:
        self.id = uuid.uuid4().hex
        self.crs = crs
        self.pixel_m = pixel_m
        self.image, self.image_digest = image, image_digest
        self.image_utc = ""
        if image_utc:
            what = "The time of the image"
            self.image_utc = stamp(not_in_future(parsed(image_utc, what), what))
        self.previous, self.previous_label = previous, previous_label
        self.beside = Beside()
        self.previous_utc = previous_utc
        self.attributes = checked(attributes or {})
        self.origin = dict(origin or {})
        self.features: list[Feature] = []
        self.state = ReviewState.DRAFT
        self.signature: Signature | None = None
        self.waivers: dict[str, Waiver] = {}
        self.trail = AuditTrail()
        self.history = CommandStack()
        self.trail.add(who, "made", {"document": self.id, "image": image, "crs": crs})
        for feature in features:
            self._commit({"set": feature.to_dict()}, who, f"Proposed {feature.heat.value}")

    # What it holds

    @property
    def perimeter(self) -> Any:
        """The heat perimeter; empty where there is none."""
        found = [f.geometry for f in self.features if f.heat is HeatClass.PERIMETER]
        return shapely.union_all(found) if len(found) > 1 else (found or [shapely.Polygon()])[0]

    def feature(self, feature_id: str) -> Feature:
        """Return one object."""
        for feature in self.features:
            if feature.id == feature_id:
                return feature
        raise WrongUse("This object is no longer part of the perimeter.")

    @property
    def is_draft(self) -> bool:
        """Whether nobody answers for it yet."""
        return not self.state.is_signed

    # Edits, all of them undoable

    def replace(self, feature_id: str, geometry: Any, label: str, who: str) -> None:
        """Give an object another geometry."""
        before = self.feature(feature_id)
        after = Feature(before.heat, geometry, before.rule, before.attributes, before.id)
        self._edit(label, who, {"set": after.to_dict()}, {"set": before.to_dict()})

    def edit_stretch(
        self, feature_id: str, stretch: Stretch, points: Points, who: str, label: str = "Move line"
    ) -> None:
        """Put an edited stretch back into its line; only the stretch goes to the journal."""
        before = self.feature(feature_id)
        change = {
            "stretch": {
                "id": feature_id, "part": stretch.part, "ring": stretch.ring,
                "first": stretch.first, "old": stretch.points.tolist(),
                "new": np.asarray(points, float).tolist(), "whole": stretch.whole,
            }
        }  # fmt: skip
        self._edit(label, who, change, {"set": before})

    def add(self, feature: Feature, who: str) -> None:
        """Add an object."""
        change, back = {"set": feature.to_dict()}, {"remove": feature.id}
        self._edit(f"Add {feature.heat.value}", who, change, back)

    def remove(self, feature_id: str, who: str) -> None:
        """Take an object out."""
        feature = self.feature(feature_id)
        back = {"set": feature.to_dict(), "at": self.features.index(feature)}
        self._edit(f"Remove {feature.heat.value}", who, {"remove": feature_id}, back)

    def describe(self, values: Mapping[str, Any], who: str) -> None:
        """Set attributes of the whole."""
        after = checked({**self.attributes, **values})
        self._edit(
            "Change attributes", who, {"attributes": after}, {"attributes": dict(self.attributes)}
        )

    def lay_beside(self, beside: Beside, who: str) -> None:
        """Take in material for the checks: contained line, detections, the name before."""
        if self.state.is_signed:
            raise WrongUse(
                f"This perimeter is {self.state.value}: its checks are closed.",
                way_out="Send it back to review first; that is noted.",
            )
        self._commit({"beside": beside.to_dict()}, who, "Laid beside for the checks")

    def _edit(self, label: str, who: str, change: Change, back: Change) -> None:
        if not self.state.may_be_edited:
            by = f" by {self.signature.who}" if self.signature else ""
            raise WrongUse(
                f"This perimeter is {self.state.value}{by} and cannot be edited.",
                way_out="Send it back to review first; that is noted.",
            )

        def undo() -> None:
            # A geometry is kept as it was and only written out when it is really taken back.
            plain = {k: v.to_dict() if isinstance(v, Feature) else v for k, v in back.items()}
            self._commit(plain, who, f"Undo: {label}")

        self.history.do(Command(label, lambda: self._commit(change, who, label), undo))
        if self.state is ReviewState.DRAFT:
            self._step(ReviewState.IN_REVIEW, who, "edited")

    # Review

    def to_review(self, who: str, reason: str = "") -> None:
        """Take it into review, or back from verified with a reason."""
        if self.state is ReviewState.VERIFIED and len(reason.strip()) < 3:
            raise BadInput("A verified line is only reopened with a reason.", way_out="Say why.")
        self._step(ReviewState.IN_REVIEW, who, reason)

    def waive(self, check: Check, who: str, reason: str) -> None:
        """Let a check that failed pass, with a reason."""
        waiver = Waiver(check.id, who, stamp(), reason, check.text)
        self._commit({"waiver": waiver.to_dict()}, who, f"Waived: {check.title}")

    def verify(self, who: str, checks: Sequence[Check]) -> None:
        """Sign: all checks are cleared or waived.

        Raises
        ------
        BadInput
            A check is open; the clock is behind the trail; the image isn't known.
        """
        left = [c for c in checks if not c.passed and not self.is_waived(c)]
        if left:
            many = "1 check is" if len(left) == 1 else f"{len(left)} checks are"
            raise BadInput(
                f"{many} open: {'; '.join(c.title for c in left)}.",
                way_out="Clear what is open, or waive it with a reason.",
            )
        self.check_clock("verify")
        signature = Signature(who, stamp(), self.image, self.image_digest)
        self._step(ReviewState.VERIFIED, who, "", signature)

    def check_clock(self, what: str) -> None:
        """Look whether this computer's clock is behind the last change.

        Raises
        ------
        BadInput
            It is.
        """
        last = parsed(self.trail.entries[-1].utc)
        if last > now() + TOLERANCE:
            raise BadInput(
                f"This computer says it is {stamp()}, but the last change was at {stamp(last)}.",
                way_out=f"Set the clock, then {what}.",
            )

    def supersede(self, who: str, by: str) -> None:
        """Mark it as replaced by a later line."""
        self._step(ReviewState.SUPERSEDED, who, f"superseded by {by}", self.signature)

    def is_waived(self, check: Check) -> bool:
        """Tell whether a failed check was waived for what it says now."""
        waiver = self.waivers.get(check.id)
        return waiver is not None and waiver.found == check.text

    def _step(
        self, after: ReviewState, who: str, reason: str, signature: Signature | None = None
    ) -> None:
        checked_step(self.state, after)
        change: Change = {"state": after.name, "signature": None, "reason": reason}
        if signature is not None:
            change["signature"] = signature.to_dict()
        self._commit(change, who, after.value.capitalize())
        if after.is_signed:
            self.history.clear()

    # Changes

    def _commit(self, change: Change, who: str, label: str) -> None:
        details = self.apply(change)
        entry = self.trail.add(who, label, details)
        self.written.emit(change, entry)
        self.changed.emit()

    def replay(self, change: Change, entry: AuditEntry) -> None:
        """Do again what the journal tells; the trail must follow."""
        self.apply(change)
        self.trail.take(entry)

    def apply(self, change: Change) -> dict[str, Any]:
        """Carry a change out and return what the trail says of it."""
        if "set" in change:
            return self._set(Feature.from_dict(change["set"]), change.get("at"))
        if "stretch" in change:
            return self._stretch(change["stretch"])
        if "remove" in change:
            self.features.remove(self.feature(change["remove"]))
            return {"feature": change["remove"], "geometry": ""}
        if "attributes" in change:
            self.attributes = checked(change["attributes"])
            return {"attributes": dict(self.attributes)}
        if "beside" in change:
            self.beside = Beside.of(change["beside"])
            return self.beside.words()
        if "waiver" in change:
            waiver = Waiver.of(change["waiver"])
            self.waivers[waiver.check] = waiver
            return waiver.to_dict()
        if "state" in change:
            self.state = ReviewState[change["state"]]
            signed = change["signature"]
            self.signature = Signature(**signed) if signed else None
            return {"state": self.state.value, "reason": change["reason"], "signature": signed}
        raise BadInput("A change of the perimeter is not known to this version.")

    def _set(self, feature: Feature, at: int | None = None) -> dict[str, Any]:
        known = [f.id for f in self.features]
        if feature.id in known:
            self.features[known.index(feature.id)] = feature
        else:
            self.features.insert(len(known) if at is None else at, feature)
        return {"feature": feature.id, "geometry": geometry_digest(feature.geometry)}

    def _stretch(self, values: Mapping[str, Any]) -> dict[str, Any]:
        old, new = (np.asarray(values[k], float).reshape(-1, 2) for k in ("old", "new"))
        before = self.feature(values["id"])
        whole = bool(values["whole"])
        stretch = Stretch(values["part"], values["ring"], values["first"], len(old), old, whole)
        geometry = put_back(before.geometry, stretch, new)
        made = Feature(before.heat, geometry, before.rule, before.attributes, before.id)
        return self._set(made) | {"vertices": len(new)}

    # Files

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; geometry exactly."""
        return {
            "format": FORMAT,
            "id": self.id,
            "crs": self.crs,
            "pixel_m": self.pixel_m,
            "image": self.image,
            "image_digest": self.image_digest,
            "image_utc": self.image_utc,
            "previous": None if self.previous is None else shapely.to_wkb(self.previous, hex=True),
            "previous_label": self.previous_label,
            "beside": self.beside.to_dict(),
            "previous_utc": self.previous_utc,
            "attributes": self.attributes,
            "origin": self.origin,
            "features": [f.to_dict() for f in self.features],
            "state": self.state.name,
            "signature": self.signature.to_dict() if self.signature else None,
            "waivers": [w.to_dict() for w in self.waivers.values()],
            "trail": [e.to_dict() for e in self.trail.entries],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PerimeterDocument:
        """Rebuild from `to_dict`, and look whether the content is what the trail says.

        Raises
        ------
        BadInput
            Not such a document, or changed behind the trail's back.
        """
        if values.get("format") != FORMAT:
            raise BadInput("This is no perimeter of Clearband.")
        try:
            made = cls(values["crs"], pixel_m=float(values["pixel_m"]))
            made.id = str(values["id"])
            made.image, made.image_digest = values["image"], values["image_digest"]
            made.image_utc = values["image_utc"]
            if values["previous"]:
                made.previous = shapely.from_wkb(values["previous"])
            made.previous_label = values["previous_label"]
            made.beside = Beside.of(values.get("beside"))
            made.previous_utc = str(values.get("previous_utc", ""))
            made.attributes = checked(values["attributes"])
            made.origin = dict(values["origin"])
            made.features = [Feature.from_dict(f) for f in values["features"]]
            made.state = ReviewState[values["state"]]
            signed = values["signature"]
            made.signature = Signature(**signed) if signed else None
            made.waivers = {w["check"]: Waiver.of(w) for w in values["waivers"]}
            made.trail = AuditTrail.of(values["trail"])
        except (KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
            raise BadInput("The perimeter cannot be read.", details=repr(error)) from error
        made.check_content()
        return made

    def check_content(self) -> None:
        """Compare geometry and state with what the trail says of them.

        Raises
        ------
        BadInput
            They differ.
        """
        told: dict[str, str] = {}
        state = ReviewState.DRAFT.value
        for entry in self.trail.entries:
            if "feature" in entry.details:
                told[entry.details["feature"]] = entry.details["geometry"]
            state = entry.details.get("state", state)
        told = {name: digest for name, digest in told.items() if digest}
        held = {f.id: geometry_digest(f.geometry) for f in self.features}
        if told != held or state != self.state.value:
            raise BadInput(
                "The perimeter is not what its audit trail says: it was changed by other means.",
                way_out="Take the file from where it was delivered; don't rely on this one.",
            )


def geometry_digest(geometry: Any) -> str:
    """Return the SHA-256 of a geometry's exact coordinates."""
    return hashlib.sha256(shapely.to_wkb(geometry)).hexdigest()
