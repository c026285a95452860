"""What config.yaml may say about a Typeform form."""

from pydantic import Field, SecretStr

from connectors.formfields import FormSettings


class TypeformSettings(FormSettings):
    """A source of type `typeform`. `fields` may name questions by their text or their ref."""

    signed_with = ("secret",)

    secret: SecretStr | None = Field(None, description="secret of the webhook; with it, unsigned requests are refused")
