"""What drafting everything that a lead writes costs: the shipped mapping of each CRM."""

import timeit

from mappings.engine import build
from mappings.load import load_mapping
from tests.bench.table import Row, at_most
from tests.mappings.samples import FACTS

PRESETS = ("amocrm-leads", "bitrix24-leads", "hubspot-leads")
AIM_US = 400.0
ROUNDS, IN_A_ROUND = 40, 10
"""The quickest round counts: others use this machine too."""


def measure() -> list[Row]:
    times = {name: _drafted_us(name) for name in PRESETS}
    return [at_most(f"a lead drafted by {name}", us, AIM_US, "µs") for name, us in times.items()]


def _drafted_us(name: str) -> float:
    mapping = load_mapping(name, locale="ru")
    return min(timeit.repeat(lambda: build(mapping, FACTS), number=IN_A_ROUND, repeat=ROUNDS)) / IN_A_ROUND * 1e6
