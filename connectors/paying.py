"""What a source of payments may set beside its own settings: what a payment changes on the payer's deal."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.doors import DoorSettings

PaymentStatus = Literal["pending", "succeeded", "canceled", "refunded"]


class StageChange(BaseModel):
    """One line of `payments.stages`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: PaymentStatus = Field(description="state of the payment that moves the deal")
    stage: str = Field(min_length=1, description="stage to move to, by name or id")
    pipeline: str = Field("", description="its pipeline, by name or id; default: the deal's own, else any that has it")
    connection: str = Field("", description="only in this connection; default: in each that has the stage")


class PaymentRules(BaseModel):
    """The section `payments` of a source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notes: tuple[PaymentStatus, ...] = Field(
        ("succeeded", "canceled", "refunded"), description="states of which a note on the payer's deal tells"
    )
    stages: tuple[StageChange, ...] = Field((), description="how the deal moves by the state of its payment")
    unknown: Literal["keep", "lead"] = Field(
        "keep", description="a payer whom nobody knows: `keep` it to be matched and shown, or make a `lead` of him"
    )


class PaymentSettings(DoorSettings):
    """Settings of a source that tells of payments."""

    payments: PaymentRules = Field(PaymentRules(), description="what a payment changes on the deal")


def payment_rules(settings: Mapping[str, DoorSettings]) -> dict[str, PaymentRules]:
    """Source -> its rules, of those that tell of payments."""
    return {name: one.payments for name, one in settings.items() if isinstance(one, PaymentSettings)}
