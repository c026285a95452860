"""What config.yaml may say about a service that analyses calls."""

from pydantic import Field, SecretStr

from connectors.doors import DoorSettings


class CallInsightSettings(DoorSettings):
    """A source of type `call_insight`."""

    keyed_with = ("bearer",)

    bearer: SecretStr | None = Field(None, description="secret that the service gives as Authorization: Bearer")
