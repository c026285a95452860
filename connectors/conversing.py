"""What every source of conversations may set: when a note is due, and what is answered by itself."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.doors import DoorSettings, Seconds
from leads.hours_settings import Hours
from mappings.expressions import ExpressionError, compile_value

TEXT_MAX = 1000  # characters: what the shortest of the messengers takes (Instagram, Avito)


class AutoReply(BaseModel):
    """What a conversation is answered once, by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(
        "", max_length=TEXT_MAX, description="answer in working hours, a template such as Hello, {{ lead.name }}!"
    )
    out_of_hours: str = Field("", max_length=TEXT_MAX, description="answer while nobody works; empty: none")
    hours: Hours | None = Field(None, description="working hours; without them it is always `text`")

    @field_validator("text", "out_of_hours")
    @classmethod
    def _is_a_template(cls, text: str) -> str:
        try:
            compile_value(text)
        except ExpressionError as error:
            raise ValueError(str(error)) from None
        return text

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.text and not self.out_of_hours:
            raise ValueError("write `text`, `out_of_hours` or both")
        if self.out_of_hours and self.hours is None:
            raise ValueError("`out_of_hours` needs `hours`: else it is never sent")
        return self


class TalkSettings(DoorSettings):
    """Beside a vendor's own settings."""

    SENDS_WITH: ClassVar[tuple[str, ...]] = ()
    """The settings without which nothing can be sent; empty: the vendor takes no messages from us."""

    GIVES_FILES: ClassVar[bool] = False
    """Files come as ids, which the vendor changes for the file itself with the settings of `SENDS_WITH`."""

    quiet: Seconds = Field(120.0, gt=0, description="later messages become one note after so long a silence, e.g. 2m")
    quiet_most: Seconds = Field(
        900.0, gt=0, description="a talk without pauses is noted at the latest after so long, e.g. 15m"
    )
    auto_reply: AutoReply | None = Field(
        None, description="one answer by itself to each conversation: {text, out_of_hours, hours}"
    )

    @model_validator(mode="after")
    def _can_answer(self) -> Self:
        if self.auto_reply is None:
            return self
        missing = [name for name in self.SENDS_WITH if not getattr(self, name)]
        if not self.SENDS_WITH or missing:
            why = f"needs {', '.join(missing)}" if missing else "is not possible: this source takes no answers"
            raise ValueError(f"auto_reply {why}")
        return self

    @property
    def can_fetch(self) -> bool:
        return self.GIVES_FILES and self.can_send

    @property
    def can_send(self) -> bool:
        return bool(self.SENDS_WITH) and all(getattr(self, name) for name in self.SENDS_WITH)
