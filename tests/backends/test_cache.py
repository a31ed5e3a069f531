"""One budget for all caches: never above its limit, the oldest goes first."""

from __future__ import annotations

import threading

import numpy as np
import psutil

from backends.cache import MemoryBudget, budget


def block(kilobytes: int = 1) -> np.ndarray:
    return np.zeros(kilobytes * 1024, np.uint8)


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryBudget(4096)
    for key in "abcd":
        cache.put(key, block())
    assert cache.get("a") is not None
    cache.put("e", block())
    assert cache.get("b") is None
    assert all(cache.get(key) is not None for key in "acde")
    assert cache.used_bytes == 4096


def test_what_is_too_large_is_not_kept() -> None:
    cache = MemoryBudget(4096)
    cache.put("small", block())
    cache.put("large", block(3))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_a_replaced_array_is_counted_once() -> None:
    cache = MemoryBudget(4096)
    cache.put("a", block(2))
    cache.put("a", block(1))
    assert cache.used_bytes == 1024


def test_a_stale_array_does_not_outlive_a_larger_one() -> None:
    cache = MemoryBudget(4096)
    cache.put("a", block(1))
    cache.put("a", block(3))
    assert cache.get("a") is None
    assert cache.used_bytes == 0


def test_made_once() -> None:
    cache, made = MemoryBudget(4096), []

    def make() -> np.ndarray:
        made.append(1)
        return block()

    first = cache.get_or_make("a", make)
    assert cache.get_or_make("a", make) is first
    assert made == [1]


def test_a_closed_scene_is_forgotten() -> None:
    cache = MemoryBudget(1 << 20)
    for owner in ("one", "two"):
        for number in range(3):
            cache.put((owner, number), block())
    cache.put("one", block())
    cache.forget("one")
    assert cache.get(("one", 0)) is None
    assert cache.get(("two", 0)) is not None
    assert cache.get("one") is not None
    assert cache.used_bytes == 4 * 1024


def test_many_threads_stay_within_the_limit() -> None:
    cache = MemoryBudget(16 * 1024)
    worst: list[int] = []

    def work(owner: int) -> None:
        for number in range(300):
            cache.put((owner, number % 7), block())
            cache.get((owner, (number + 3) % 7))
            worst.append(cache.used_bytes)
            if number % 50 == 0:
                cache.forget(owner)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.used_bytes <= 16 * 1024
    assert max(worst) <= 17 * 1024  # one array may be in on its way


def test_the_default_leaves_room() -> None:
    total = psutil.virtual_memory().total
    assert MemoryBudget().limit_bytes <= min(total // 4, 4 << 30)
    assert budget() is budget()
