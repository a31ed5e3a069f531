"""``bench spectra``: both contenders answer alike before anyone looks at their times."""

from __future__ import annotations

import numpy as np
import pytest

from app.bench import spectra


@pytest.mark.parametrize("task", ["statistics", "sam", "unmixing"])
def test_both_give_the_same_answer(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "SHAPE", (60, 70, 20))
    one, other = (spectra.measure(who, task, "") for who in ("spy", "clearband"))
    np.testing.assert_allclose(one["check"], other["check"], rtol=1e-4, atol=1e-4)
    assert len(one["check"]) >= 20
