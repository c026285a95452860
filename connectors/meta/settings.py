"""What config.yaml may say about Meta Lead Ads."""

from pydantic import Field, SecretStr

from connectors.formfields import FormSettings


class MetaSettings(FormSettings):
    """A source of type `meta`. `fields` may name own questions of the form by their key."""

    signed_with = ("app_secret",)
    reads_with = "page_token"

    app_secret: SecretStr = Field(min_length=1, description="secret of the Meta app: it signs the events")
    verify_token: SecretStr = Field(min_length=1, description="token typed when the webhook is subscribed")
    page_token: SecretStr | None = Field(None, description="access token of the page: leads are read with it")
    graph_url: str = Field("https://graph.facebook.com/v21.0", description="address of the Graph API with its version")
    forms: tuple[str, ...] = Field(
        (), description="ids of the forms whose leads are compared; default: all of the page"
    )
