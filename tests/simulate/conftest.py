"""What all simulations share."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    """Looking for garbage all the time takes a fifth of the time of a schedule."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()
