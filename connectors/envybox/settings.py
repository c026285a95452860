"""What config.yaml may say about an Envybox account."""

from pydantic import Field, SecretStr

from connectors.callfields import CallSettings


class EnvyboxSettings(CallSettings):
    """A source of type `envybox`."""

    keyed_with = ("key",)

    key: SecretStr | None = Field(None, min_length=1, description="the key of the webhook: it comes as field `key`")
