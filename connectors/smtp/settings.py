"""What the user writes in config.yaml for one e-mail channel."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_ADDRESS = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


class SmtpSettings(BaseModel):
    """One mail server, one sender, some readers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    type: Literal["smtp"] = "smtp"
    host: str = Field(min_length=1, description="Name of the mail server.")
    port: int = Field(default=0, ge=0, le=65535, description="0: 465 for tls, 587 for starttls, 25 for none.")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How the line is encrypted.")
    username: str = Field(default="", description="Empty: no sign-in.")
    password: SecretStr = Field(default=SecretStr(""), description="Of the mailbox, or of the app.")
    sender: str = Field(alias="from", description="Address that the messages come from.")
    to: tuple[str, ...] = Field(min_length=1, description="Addresses of the readers.")
    digest: bool = Field(default=False, description="Also gets the daily digest for the owner.")
    locale: Literal["ru", "en"] | None = Field(default=None, description="Language here, if not the hub's.")
    timeout_s: float = Field(default=20.0, gt=0, le=120, description="Seconds to wait for the server.")

    @field_validator("to", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("sender", "to")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (value,) if isinstance(value, str) else value:
            if not _ADDRESS.fullmatch(address):
                raise ValueError("expected an address such as ops@example.com")
        return value

    @property
    def effective_port(self) -> int:
        return self.port or {"tls": 465, "starttls": 587, "none": 25}[self.security]
