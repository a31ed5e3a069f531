"""Every rule on windows whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backends.errors import BadInput, WrongUse
from backends.fire.applying import apply_rule, explain_pixel
from backends.fire.disagreement import disagreement
from backends.fire.fields import FireImage
from backends.fire.rules import RULES, goes, passes, usable
from backends.fire.rules.satellite import glint_angle_deg, modis
from backends.fire.verdicts import All, Any_, Check
from backends.fire.windows import box_sum, mean_and_deviation, surroundings
from tests.backends.fire.conftest import scene_of

Planes = dict[float, np.ndarray]


def image(planes: Planes, *, night: bool = False, pixel_m: float | None = None) -> FireImage:
    return FireImage(scene_of(planes, pixel_m=pixel_m), night=night)


def burning(calm: Planes, kelvin: float, at: tuple[int, int] = (30, 30)) -> Planes:
    planes = {nm: plane.copy() for nm, plane in calm.items()}
    planes[3745][at] = kelvin
    planes[10191][at] += 4
    return planes


def test_box_sums_are_those_of_a_loop() -> None:
    values = np.random.default_rng(0).normal(size=(13, 9))
    slow = [
        [values[max(0, r - 2) : r + 3, max(0, c - 2) : c + 3].sum() for c in range(9)]
        for r in range(13)
    ]
    assert box_sum(values, 2) == pytest.approx(np.array(slow))


def test_surroundings_look_past_what_is_missing() -> None:
    values = np.full((9, 9), 300.0)
    values[4, 4], values[4, 5] = np.nan, 900.0
    use = np.ones((9, 9), bool)
    use[4, 5] = False
    found = surroundings(values, use, 1)
    assert found.mean[4, 4] == pytest.approx(300)
    assert found.std[4, 4] == pytest.approx(0, abs=1e-6)
    assert found.count[4, 4] == 7


def test_mean_absolute_deviation_is_exact() -> None:
    rng = np.random.default_rng(1)
    values, use = rng.normal(300, 5, (15, 15)), rng.random((15, 15)) > 0.2
    mean, deviation = mean_and_deviation(values, use, np.array([7]), np.array([6]), 3)
    part = values[4:11, 3:10].copy()
    keep = use[4:11, 3:10].copy()
    keep[3, 3] = False
    chosen = part[keep]
    assert mean[0] == pytest.approx(chosen.mean())
    assert deviation[0] == pytest.approx(np.abs(chosen - chosen.mean()).mean())


@pytest.mark.parametrize(
    ("kelvin", "night", "fire"),
    [(318, False, False), (318, True, True), (326, False, True), (309, True, False)],
)
def test_absolute_rule_by_day_and_night(
    calm: Planes, kelvin: float, night: bool, fire: bool
) -> None:
    # Hot soil in the sun reads 318 K: fire by the night's limit, none by the day's.
    planes = burning(calm, kelvin)
    planes[10191][30, 30] = 300
    planes[3745][30, 30] = kelvin
    found = apply_rule(image(planes, night=night), "A")
    assert bool(found.mask[30, 30]) is (fire and kelvin - 300 > 10)
    assert found.mask.sum() == int(fire)
    limit = 310 if night else 325
    assert found.margin[30, 30] == pytest.approx(min(kelvin - limit, kelvin - 310) / 10, abs=1e-3)


def test_contextual_rule_sees_what_stands_out(calm: Planes) -> None:
    planes = burning(calm, 316.0)
    assert not apply_rule(image(planes), "A").mask.any()
    assert apply_rule(image(planes), "B").mask.sum() == 1


def test_large_fires_do_not_hide_in_their_own_spread(calm: Planes) -> None:
    planes = burning(calm, 318.0)
    planes[3745][10:25, 10:50] = 420.0  # a front that rule A takes out of the surroundings
    found = apply_rule(image(planes), "B")
    assert found.mask[30, 30]
    assert found.mask[10:25, 10:50].all()


class TestModis:
    """Rule C on constructed windows."""

    def test_absolute_test(self, calm: Planes) -> None:
        assert apply_rule(image(burning(calm, 365.0)), "C").mask.sum() == 1

    def test_context_decides(self, calm: Planes) -> None:
        # Background deviation near 0.4 K: 318 K with 14 K of difference stands out.
        assert apply_rule(image(burning(calm, 318.0)), "C").mask.sum() == 1

    def test_below_potential_is_nothing(self, calm: Planes) -> None:
        assert not apply_rule(image(burning(calm, 309.0)), "C").mask.any()

    def test_night_has_limits_of_its_own(self, calm: Planes) -> None:
        planes = burning(calm, 318.5)
        for plane in (planes[3745], planes[10191]):
            plane -= 12  # 306.5 K: potential by night only
        assert apply_rule(image(planes, night=True), "C").mask.sum() == 1
        assert not apply_rule(image(planes), "C").mask.any()

    def test_a_noisy_background_hides_it(self, calm: Planes) -> None:
        planes = burning(calm, 320.0)
        noise = np.random.default_rng(5).normal(0, 9, planes[3745].shape)
        planes[3745] += noise.astype(np.float32) * (planes[3745] < 315)
        fields = image(planes).fields()
        with np.errstate(all="ignore"):
            found = modis(fields)
        decided = {a.name: a for a in found.answers(30, 30)}
        assert not decided["(2) T4−T11 against deviation"].holds

    def test_bright_ground_is_none(self, calm: Planes) -> None:
        planes = burning(calm, 330.0)
        planes[860][30, 30] = 0.45
        assert not apply_rule(image(planes), "C").mask.any()

    def test_too_few_pixels_about_it_is_not_known(self, calm: Planes) -> None:
        planes = burning(calm, 340.0)
        keep = np.zeros((61, 61), bool)
        keep[29:32, 30] = True
        for plane in planes.values():
            plane[~keep] = np.nan
        found = apply_rule(image(planes), "C")
        assert not found.mask.any()
        assert np.isnan(found.margin[30, 30])

    def test_glint_is_rejected(self, calm: Planes) -> None:
        fields = image(burning(calm, 340.0)).fields()
        glint = replace(
            fields, sun_zenith_deg=30.0, view_zenith_deg=30.0, relative_azimuth_deg=180.0
        )
        with np.errstate(all="ignore"):
            assert modis(fields).holds[30, 30]
            assert not modis(glint).holds[30, 30]

    def test_glint_angle_is_in_degrees(self) -> None:
        assert float(glint_angle_deg(30, 30, 180)) == pytest.approx(0, abs=1e-4)
        assert float(glint_angle_deg(30, 30, 0)) == pytest.approx(60)

    def test_windows_are_metres(self, calm: Planes) -> None:
        near = apply_rule(image(burning(calm, 318.0), pixel_m=30.0), "C")
        assert near.mask.sum() == 1


def test_flasse_ceccato_asks_all_three(calm: Planes) -> None:
    calm[860] -= 0.05
    assert apply_rule(image(burning(calm, 330.0)), "D").mask.sum() == 1
    bright = burning(calm, 330.0)
    bright[860][30, 30] = 0.3
    assert not apply_rule(image(bright), "D").mask.any()
    low = apply_rule(image(burning(calm, 309.0)), "D", {"hot_k": 307.0, "difference_k": 4.0})
    assert low.mask[30, 30]


def swir(shape: tuple[int, int] = (61, 61)) -> Planes:
    rng = np.random.default_rng(2)
    level = {440: 0.06, 485: 0.06, 555: 0.09, 655: 0.08, 865: 0.22, 1610: 0.18, 2200: 0.10}
    planes = {
        nm: (v * (1 + 0.03 * rng.normal(size=shape))).astype(np.float32) for nm, v in level.items()
    }
    planes[865][30, 30], planes[1610][30, 30], planes[2200][30, 30] = 0.25, 0.50, 0.95
    return planes


@pytest.mark.parametrize("rule_id", ["F-murphy", "F-kumar-roy", "F-schroeder", "F"])
def test_shortwave_rules_find_the_flame_alone(rule_id: str) -> None:
    found = apply_rule(image(swir()), rule_id)
    assert found.mask[30, 30]
    assert found.mask.sum() == 1


def test_murphy_guards_division_the_right_way() -> None:
    planes = swir()
    planes[865][30, 31] = 0.0  # no light at all must not make a fire out of a ratio
    planes[1610][30, 31] = planes[2200][30, 31] = 0.01
    assert apply_rule(image(planes), "F-murphy").mask.sum() == 1


def test_goes_codes() -> None:
    codes = np.array([10, 11, 12, 13, 30, 31, 33, 40, 100])
    assert (
        goes.fire_codes(codes).tolist() == [True, True] + [False] * 2 + [True, True] + [False] * 3
    )
    assert goes.fire_codes(codes, strict=False).sum() == 7
    assert goes.meaning(33) == "fire, high probability, seen before"


def test_passes_want_two_where_seen_twice() -> None:
    first = np.array([[True, True, False, True]])
    second = np.array([[True, False, False, False]])
    seen_second = np.array([[True, True, True, False]])
    found = passes.consistent([first, second], [np.ones((1, 4), bool), seen_second])
    assert found.fire.tolist() == [[True, False, False, True]]
    assert found.found.tolist() == [[2, 1, 0, 1]]
    with pytest.raises(BadInput, match="one grid"):
        passes.consistent([first], [seen_second[:, :2]])


def test_disagreement_has_four_colours() -> None:
    rule, model = np.array([[1, 0, 1, 0, 1]], bool), np.array([[1, 1, 0, 0, 1]], bool)
    valid = np.array([[1, 1, 1, 1, 0]], bool)
    assert disagreement(rule, model, valid).tolist() == [[1, 2, 3, 4, 0]]


def test_tiles_give_what_the_whole_gives(calm: Planes) -> None:
    planes = burning(calm, 318.0, (17, 40))
    planes[3745][30:33, 12:20] = 350
    for rule_id in ("B", "C", "D"):
        whole = apply_rule(image(planes), rule_id)
        tiled = apply_rule(image(planes), rule_id, side=16)
        assert (whole.mask == tiled.mask).all()


def test_a_pixel_tells_its_story(calm: Planes) -> None:
    burnt = image(burning(calm, 318.0))
    story = explain_pixel(burnt, 30, 30)
    assert story.facts["T4, K"] == pytest.approx(318)
    answers = {a.rule_id: a for a in story.rules}
    assert set(answers) == set(RULES)
    assert answers["A"].fire is False
    assert str(answers["A"].decided) == "T4 318 > 325 K: no"
    assert answers["C"].fire is True
    assert answers["F"].fire is None
    assert "shortwave infrared 1" in answers["F"].reason
    quiet = {a.rule_id: a for a in explain_pixel(burnt, 5, 5).rules}
    assert quiet["C"].fire is False
    assert np.isfinite(quiet["C"].tests[-3].limit)  # its surroundings were measured all the same
    with pytest.raises(BadInput, match="outside"):
        explain_pixel(burnt, 99, 0)


def test_what_cannot_be_asked_is_said(calm: Planes) -> None:
    planes = {nm: v for nm, v in calm.items() if nm != 10191}
    reasons = usable(image(planes))
    assert reasons["A"] == ""
    assert reasons["C"] == "The scene has no thermal infrared band."
    with pytest.raises(BadInput, match="no thermal infrared"):
        apply_rule(image(planes), "C")
    with pytest.raises(WrongUse, match="no fire rule Z"):
        apply_rule(image(planes), "Z")


def test_margins_know_what_is_not_known() -> None:
    nan = np.array([[np.nan]])
    yes, no = Check("a", np.array([[2.0]]), ">", 1, 1), Check("b", np.array([[0.0]]), ">", 1, 1)
    gap = Check("c", nan, ">", 1, 1)
    assert np.isnan(All(yes, gap).margin[0, 0])
    assert not All(yes, gap).holds[0, 0]
    assert All(no, gap).margin[0, 0] == -1
    assert Any_(yes, gap).holds[0, 0]
