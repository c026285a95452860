"""What config.yaml may say about a Roistat project."""

from pydantic import Field, SecretStr

from connectors.callfields import CallSettings


class RoistatSettings(CallSettings):
    """A source of type `roistat`. It signs nothing: set `url_token`."""

    keyed_with = ("key",)

    key: SecretStr | None = Field(
        None, min_length=1, description="the key that sites send with leads in the shape of proxylead"
    )
