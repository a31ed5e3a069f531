"""File names: the template, what may stand in it, and the mark that cannot be left out."""

from __future__ import annotations

import pytest

from backends.errors import BadInput, WrongUse
from backends.perimeters.deliverables.naming import camel_case, file_names, stem_of
from backends.perimeters.deliverables.options import DeliveryOptions
from backends.perimeters.document import PerimeterDocument
from tests.backends.perimeters.deliverables.conftest import goat


def test_names_of_the_trade(verified: PerimeterDocument) -> None:
    names = file_names(verified, DeliveryOptions())
    assert names["kmz"] == "20260829_0412_GoatPeak_IR.kmz"
    assert names["shapefile"] == "20260829_0412_GoatPeak_IR_ShapeFileOutputs.zip"
    assert names["map"] == "20260829_0412_GoatPeak_IR_11x17.pdf"
    local = DeliveryOptions(zone="America/Boise", page="letter")
    assert file_names(verified, local)["map"] == "20260828_2212_GoatPeak_IR_Letter.pdf"


def test_the_mark_is_there_whatever_the_template(draft: PerimeterDocument) -> None:
    assert stem_of(draft, DeliveryOptions(template="Map_{incident}")) == "Map_GoatPeak_DRAFT"


def test_empty_elements_fall_out() -> None:
    options = DeliveryOptions(template="{date}_{local}_{incident}")
    assert stem_of(goat(), options) == "20260829_GoatPeak_DRAFT"
    known = goat(LocalIncidentID="2026-CAMEU-008674")
    assert stem_of(known, options) == "20260829_2026-CAMEU-008674_GoatPeak_DRAFT"
    undated = PerimeterDocument("EPSG:32611")
    assert stem_of(undated, DeliveryOptions()) == "NoDate_Unnamed_IR_DRAFT"


@pytest.mark.parametrize(
    ("name", "element"),
    [("goat peak", "GoatPeak"), ("Cañon/../x", "CanonX"), ("O'Neil #2", "ONeil2")],
)
def test_one_element_of_a_name(name: str, element: str) -> None:
    assert camel_case(name) == element


@pytest.mark.parametrize("template", ["{date} {incident}", "../{incident}", "{date}.{time}", "{x}"])
def test_illegal_letters_are_refused(template: str) -> None:
    with pytest.raises(WrongUse, match="cannot stand in a file name"):
        stem_of(goat(), DeliveryOptions(template=template))


def test_what_is_wrong_with_names_is_one_sentence() -> None:
    with pytest.raises(WrongUse, match="leaves the file names empty"):
        stem_of(goat(), DeliveryOptions(template="{local}"))
    with pytest.raises(WrongUse, match="are allowed"):
        stem_of(goat(), DeliveryOptions(template="x" * 130))
    with pytest.raises(BadInput, match="no letters that a file name may have"):
        stem_of(goat(IncidentName="火"), DeliveryOptions())
    with pytest.raises(BadInput, match="no time zone called Mars"):
        stem_of(goat(), DeliveryOptions(zone="Mars"))
    with pytest.raises(WrongUse, match="no product called dxf"):
        DeliveryOptions(("dxf",))
    with pytest.raises(WrongUse, match="no paper called b5"):
        DeliveryOptions(page="b5")
