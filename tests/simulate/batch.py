"""Plays a range of seeds in a process of its own; memory and time stay flat however many there are."""

import logging
import tempfile
from pathlib import Path

from tests.simulate.schedule import Report, prepare, run_seed


def play(numbers: range) -> list[Report]:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        settings, template = prepare(Path(name))
        return [run_seed(seed, settings, template) for seed in numbers]
