from dataclasses import replace

import pytest

from leads.call_text import call_line
from leads.calls import Call

ANSWERED = Call(direction="in", disposition="answered", talk_s=87, line="+74951112233", line_title="Билборд")


@pytest.mark.parametrize(
    ("call", "ru", "en"),
    [
        (
            ANSWERED,
            "Входящий звонок: разговор 1:27, на номер +74951112233 (Билборд)",
            "Incoming call: talked 1:27, to +74951112233 (Билборд)",
        ),
        (
            replace(ANSWERED, direction="out", line_title="", extension="101"),
            "Исходящий звонок: разговор 1:27, с номера +74951112233, 101",
            "Outgoing call: talked 1:27, from +74951112233, 101",
        ),
    ],
)
def test_a_call_tells_which_way_our_number_was_used(call: Call, ru: str, en: str) -> None:
    assert (call_line(call, "ru"), call_line(call, "en")) == (ru, en)
