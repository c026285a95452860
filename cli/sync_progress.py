"""How far a pass is, how fast it goes, how it ended."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cli.words import Words, console
from jobs.sync.status import WRITES

if TYPE_CHECKING:
    from rich.text import Text

    from jobs.config.loading import Settings
    from jobs.sync.passes import PassResult
    from leads.clock import Clock

SHOW_EVERY_S = 1.0
SHOW_IN_FILE_EVERY_S = 15.0
OPS = {
    "create": ("made", "создано"),
    "update": ("changed", "изменено"),
    "link": ("links", "связей"),
    "archive": ("archived", "в архив"),
    "delete": ("deleted", "удалено"),
    "tag": ("tagged", "помечено"),
    "restored": ("restored", "возвращено"),
}
OTHERS = {
    "matched": ("matched", "найдены пары"),
    "ambiguous": ("unclear", "неясных"),
    "conflicts": ("conflicts", "спорных полей"),
    "failed": ("refused", "отказов CRM"),
    "unknown": ("outcome unknown", "исход неизвестен"),
    "stopped_pairs": ("stopped pairs", "остановлено пар"),
    "changed_since": ("changed since, left", "изменены позже, не тронуты"),
    "as_before": ("as before already", "уже как было"),
    "made_stay": ("made by the pass, stay", "созданы проходом, остаются"),
    "removed_stay": ("removed by the pass, stay removed", "удалены проходом, не возвращаются"),
    "links_stay": ("links of the pass, stay", "связи прохода, остаются"),
    "tags_stay": ("tags of the pass, stay", "метки прохода, остаются"),
    "gone": ("gone meanwhile", "с тех пор удалены"),
}


class Shown:
    """One line on the terminal that is rewritten; in a file a line now and then."""

    def __init__(self, settings: "Settings", name: str, clock: "Clock") -> None:
        self._words = Words.of(settings)
        self._name = name
        self._clock = clock
        self._out = console(stderr=True)
        self._began: float | None = None
        self._due_at_first = 0
        self._shown_at = clock.monotonic()

    async def told(self, counts: Mapping[str, int]) -> None:
        now = self._clock.monotonic()
        every = SHOW_EVERY_S if self._out.is_terminal else SHOW_IN_FILE_EVERY_S
        if now - self._shown_at < every:
            return
        self._shown_at = now
        text = f"{self._name}: {self._line(counts, now)}"
        self._out.print(text, end="\r" if self._out.is_terminal else "\n")

    def end(self) -> None:
        if self._out.is_terminal:
            self._out.print(" " * 100, end="\r")

    def _line(self, counts: Mapping[str, int], now: float) -> str:
        words = self._words
        seen = sum(counts.get(f"{what}_{side}", 0) for what in ("seen", "listed") for side in ("left", "right"))
        written = sum(counts.get(f"{op}_{side}", 0) for op in WRITES for side in ("left", "right"))
        due = counts.get("due", 0)
        if wait_s := counts.get("wait_s", 0):
            return words(
                f"waits {wait_s} s to be certain what the CRM has made",
                f"ждёт {wait_s} с: надо узнать, что создано",
            )
        if not written:
            self._began, self._due_at_first = now, due
            return words(f"looked at {words.number(seen)}", f"просмотрено {words.number(seen)}")
        took = max(0.1, now - (self._began or now))
        rate = max(0.0, self._due_at_first - due) / took
        left = words.duration(due / rate) if rate > 0 else "—"
        return words(
            f"written {words.number(written)}, due {words.number(due)}, {rate:.0f}/s, about {left} left",
            f"записано {words.number(written)}, осталось {words.number(due)}, {rate:.0f}/с, ещё примерно {left}",
        )


def counted(
    words: Words, counts: Mapping[str, int], settings_sides: Mapping[str, str], *, would: bool = False
) -> "Iterator[str]":
    """`made in "hs": 3`, one for each thing that happened; `would`: had it been done."""
    before = words("would be ", "было бы ") if would else ""
    for op, names in OPS.items():
        for side, connection in settings_sides.items():
            if count := counts.get(f"{op}_{side}", 0):
                yield f"{before}{words(*names)} {words('in', 'в')} {words.crm(connection)}: {words.number(count)}"
    for name, names in OTHERS.items():
        if count := counts.get(name, 0):
            yield f"{words(*names)}: {words.number(count)}"


def result_lines(
    words: Words, sync: str, result: "PassResult", sides: Mapping[str, str], *, shadow: bool = False
) -> "Iterator[Text]":
    """`sides`: side -> connection. `shadow`: nothing of it was written."""
    from rich.text import Text

    states = {
        "done": ("done", "готово", "green"),
        "stopped": ("stopped, goes on where it was", "остановлено, продолжит с того же места", "yellow"),
        "braked": ("waits for a yes", "ждёт разрешения", "yellow"),
        "failed": ("not finished", "не закончено", "red"),
    }
    english, russian, style = states[result.state]
    head = Text(f"{sync}: ", style="bold")
    yield head.append(f"{words(english, russian)}   {words('pass', 'проход')} {result.id}", style=f"not bold {style}")
    for text in counted(words, result.counts, sides, would=shadow):
        yield Text(f"  {text}")
    if shadow and result.state == "done":
        yield Text(words("  shadow: true, nothing was written", "  shadow: true, ничего не записано"))
    if result.error:
        yield Text(f"  {words.cause(result.error)}", style=style)
    if result.state == "braked":
        todo = f"leadhub sync plan {sync};  leadhub sync run {sync} --yes"
        yield Text(f"  {words('see it, then allow it', 'посмотрите и разрешите')}: {todo}")
