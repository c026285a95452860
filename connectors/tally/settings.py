"""What config.yaml may say about a Tally form."""

from pydantic import Field, SecretStr

from connectors.formfields import FormSettings


class TallySettings(FormSettings):
    """A source of type `tally`. `fields` may name questions by their text or their key."""

    signed_with = ("secret",)

    secret: SecretStr | None = Field(None, description="signing secret; with it, unsigned requests are refused")
