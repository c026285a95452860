"""What was measured, against what was aimed at."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`ratio`: to the baseline, or to what the same run measured just before; "" where there is none."""

    measurement: str
    value: str
    aim: str = ""
    met: bool | None = None
    ratio: str = ""

    def cells(self) -> tuple[str, ...]:
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.measurement, self.value, self.aim, met, self.ratio)


HEAD = ("measurement", "value", "aim", "met", "ratio")


def at_most(measurement: str, value: float, aim: float, unit: str, *, digits: int = 0, ratio: str = "") -> Row:
    return Row(measurement, _number(value, unit, digits), f"≤ {_number(aim, unit, 0)}", value <= aim, ratio)


def at_least(measurement: str, value: float, aim: float, unit: str, *, digits: int = 0, ratio: str = "") -> Row:
    return Row(measurement, _number(value, unit, digits), f"≥ {_number(aim, unit, 0)}", value >= aim, ratio)


def _number(value: float, unit: str, digits: int) -> str:
    if unit == "x":
        return f"{value:.2f} x" if value != int(value) else f"{value:.0f} x"
    shown = f"{value:,.{digits}f}" if value == int(value) or digits or value >= 10 else f"{value:.1f}"
    return f"{shown} {unit}".strip()


def render(rows: Sequence[Row]) -> str:
    """Aligned columns, which are a table in Markdown too."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [_line(line, widths) for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above; 0.5 is the median."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
