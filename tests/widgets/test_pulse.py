"""One clock for all progress: it beats while somebody waits, together, and rests else."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QObject

from widgets import pulse
from widgets.pulse import Pulse


class Counter(QObject):
    def __init__(self, every: int = 1) -> None:
        super().__init__()
        self.count = 0
        self.pulse = Pulse(self, self.up, every)

    def up(self) -> None:
        self.count += 1


def test_all_beat_together_and_the_clock_rests_when_nobody_listens(qtbot: Any) -> None:
    one, two = Counter(), Counter()
    one.pulse.start()
    one.pulse.start()
    two.pulse.start()
    qtbot.waitUntil(lambda: one.count == 2, timeout=3000)
    assert two.count == 2
    two.pulse.stop()
    qtbot.waitUntil(lambda: one.count == 3, timeout=3000)
    assert two.count == 2
    one.pulse.stop()
    qtbot.waitUntil(lambda: not pulse._clock().isActive(), timeout=3000)
    two.pulse.start()
    qtbot.waitUntil(lambda: two.count == 3, timeout=3000)
    two.deleteLater()
    qtbot.waitUntil(lambda: not pulse._clock().isActive(), timeout=3000)


def test_slow_ones_beat_at_once_and_then_together(qtbot: Any) -> None:
    fast, slow, late = Counter(), Counter(every=3), Counter(every=3)
    fast.pulse.start()
    slow.pulse.start()
    qtbot.waitUntil(lambda: slow.count == 1, timeout=3000)  # with the first beat
    late.pulse.start()
    qtbot.waitUntil(lambda: late.count >= 2, timeout=5000)
    counts = slow.count, late.count
    beats = fast.count
    qtbot.waitUntil(lambda: slow.count > counts[0], timeout=3000)
    assert late.count == counts[1] + 1
    assert fast.count == beats + 3
    for counter in (fast, slow, late):
        counter.pulse.stop()
        counter.deleteLater()
    qtbot.waitUntil(lambda: not pulse._clock().isActive(), timeout=3000)
