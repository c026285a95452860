"""What config.yaml may say about a 1C base."""

from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.paying import PaymentSettings


class OnecSettings(PaymentSettings):
    """A source of type `1c`."""

    keyed_with = ("password",)

    user: str = Field("", description="user of the Basic authorization that 1C sends")
    password: SecretStr | None = Field(None, description="password of the Basic authorization")
    currency: str = Field("RUB", description="currency of amounts that come without one")
    timezone: str = Field("Europe/Moscow", description="zone of dates that come without one")
    new_statuses: tuple[str, ...] = Field(
        ("new", "created", "новый", "новая", "создан", "на согласовании"),
        description="words in `status` that make an order a lead",
    )
    canceled_statuses: tuple[str, ...] = Field(
        ("canceled", "cancelled", "отменен", "отмена", "аннулирован"), description="words for a canceled order"
    )
    refunded_statuses: tuple[str, ...] = Field(
        ("refunded", "возврат", "возвращен"), description="words for a refunded order"
    )

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("expected a zone such as Europe/Moscow") from None
        return value

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password belong together")
        return self
