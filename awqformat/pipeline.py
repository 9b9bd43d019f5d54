"""Work done by several threads and taken in order, with a bound on what is under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(make: Callable[[Given], Made], items: Iterable[Given], workers: int) -> Iterator[Made]:
    """Yield ``make(item)`` for each item, in order, up to ``workers`` of them under way at a time.

    What is under way is everything that has been started and is not yet done with by the caller, so ``workers``
    results at most exist at once. When the caller stops, or a result is an exception, nothing more is started.
    """
    if workers <= 1:
        yield from map(make, items)
        return
    pool = ThreadPoolExecutor(workers)
    window: deque[Future[Made]] = deque()
    try:
        for item in items:
            window.append(pool.submit(make, item))
            if len(window) == workers:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
