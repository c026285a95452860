"""A test that stands still fails and says where, instead of holding up all others for ever."""

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Generator
from types import FrameType

import pytest

LIMIT_S = 600.0
"""The longest takes three minutes, on a busy machine five."""
AGAIN_S = 60.0
"""What is cleaned up after a test may stand still as well."""


def _tell(_number: int, _frame: FrameType | None) -> None:
    faulthandler.dump_traceback(sys.__stderr__)
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no event loop runs
        tasks = set()
    for task in tasks:
        task.print_stack(file=sys.__stderr__)
    pytest.fail(f"stood still for {LIMIT_S:.0f} s: where is in its captured output")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    before = signal.signal(signal.SIGALRM, _tell)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S, AGAIN_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
