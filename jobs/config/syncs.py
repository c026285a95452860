"""What `syncs:` in config.yaml may say."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from jobs.config.kinds import PositiveDuration
from jobs.config.models import Strict

SyncObject = Literal["contact", "company", "deal", "lead"]
Deletions = Literal["ignore", "archive", "tag", "delete"]


class Brake(Strict):
    """A pass that would touch more than this stops before its first write and asks a person."""

    share: float = Field(30.0, gt=0, le=100, description="percent of the paired records that may be changed or removed")
    at_least: int = Field(20, ge=0, description="so many changed or removed records pass whatever their share")
    records: int = Field(500, ge=1, description="records that one pass may make, change or remove")


class SyncSettings(Strict):
    """Records of one kind kept equal between two connections."""

    left: str = Field(description="name of a connection")
    right: str = Field(description="name of another connection")
    object: SyncObject = Field(description="contact, company, deal or lead")
    direction: Literal["left_to_right", "right_to_left", "both"] = Field("both", description="which way values go")
    poll: PositiveDuration = Field(timedelta(seconds=60), description="time between two looks for changes; 60s")
    full: PositiveDuration = Field(
        timedelta(hours=24), description="time between two full comparisons, which find deletions and merges; 24h"
    )
    mapping: str | None = Field(None, description="mappings/sync/NAME.yaml instead of the shipped one")
    left_when: str | None = Field(None, description="condition on left records, such as left.city == 'Казань'")
    right_when: str | None = Field(None, description="condition on right records")
    create: bool = Field(True, description="whether records without a partner are made on the other side")
    deletions: Deletions = Field(
        "ignore", description="what a record removed on one side means for its partner: ignore, archive, tag or delete"
    )
    delete_cap: int = Field(
        10, ge=0, description="partners that one pass may archive, tag or delete; over that it asks"
    )
    deletion_tag: str = Field("leadhub: deleted", min_length=1, description="the tag, with deletions: tag")
    brake: Brake = Field(default_factory=Brake, description="the mass-change brake")
    flips: int = Field(5, ge=1, description="how often in an hour a value may go to and fro before its pair is stopped")
    shadow: bool = Field(False, description="true: nothing is written, only what would be is reported")
    ask_after: PositiveDuration = Field(
        timedelta(hours=4), description="alert when a question waits for a person so long, then once a day; 4h"
    )
    late_after: PositiveDuration = Field(
        timedelta(hours=6), description="alert when no pass has come to its end for so long; 6h"
    )
    keep_log: PositiveDuration = Field(timedelta(days=90), description="how long a pass can be undone; 90d")

    @field_validator("brake", mode="before")
    @classmethod
    def _whole_brake(cls, value: Any) -> Any:
        return {} if value is None else value

    @model_validator(mode="after")
    def _two_sides(self) -> "SyncSettings":
        if self.left == self.right:
            raise ValueError("left and right are the same connection")
        return self
