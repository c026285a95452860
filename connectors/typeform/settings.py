"""What config.yaml may say about a Typeform form."""

from pydantic import Field, SecretStr

from connectors.formfields import FormSettings


class TypeformSettings(FormSettings):
    """A source of type `typeform`. `fields` may name questions by their text or their ref."""

    signed_with = ("secret",)

    secret: SecretStr | None = Field(None, description="secret of the webhook; with it, unsigned requests are refused")
    access_token: SecretStr | None = Field(
        None, description="personal token with responses:read; with it and `form_id`, answers that never came are found"
    )
    form_id: str = Field("", pattern=r"^[A-Za-z0-9]*$", description="id of the form, as in its address")
    api_url: str = Field("https://api.typeform.com", description="address of the API")
