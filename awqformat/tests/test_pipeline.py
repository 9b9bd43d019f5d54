"""Work in parallel, taken in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat.pipeline import in_order


@given(st.lists(st.integers()), st.integers(1, 5))
def test_results_come_in_the_order_of_their_items(items: list[int], workers: int) -> None:
    """However many threads there are, the results are those of map."""
    assert list(in_order(lambda x: x * 2, items, workers)) == [x * 2 for x in items]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_what_is_under_way_is_bounded(workers: int) -> None:
    """No item is started while as many as there are workers are not yet done with, and the threads do overlap."""
    lock, started, together = threading.Lock(), 0, threading.Barrier(workers)

    def make(item: int) -> int:
        nonlocal started
        with lock:
            started += 1
        together.wait(10)  # passes only when as many threads as workers are here at once
        return item

    done = 0
    for _ in in_order(make, range(6 * workers), workers):
        done += 1
        assert started <= done + workers - 1
    assert done == started == 6 * workers


@pytest.mark.parametrize("workers", [1, 3])
def test_a_fault_stops_the_rest(workers: int) -> None:
    """An exception reaches the caller in its turn, and no later item is taken."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    results: list[float] = []
    with pytest.raises(ZeroDivisionError):
        results.extend(in_order(lambda i: 1 / (i - 5), items(), workers))
    assert len(taken) <= 5 + workers


@pytest.mark.parametrize("workers", [1, 3])
def test_a_caller_that_stops_stops_the_work(workers: int) -> None:
    """Closing the iterator ends the threads."""
    before = threading.active_count()
    results = in_order(lambda i: i, range(100), workers)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # an iterator of a generator
    assert threading.active_count() == before
