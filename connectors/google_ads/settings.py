"""What config.yaml may say about Google Ads lead forms."""

from pydantic import Field, SecretStr

from connectors.formfields import FormSettings


class GoogleAdsSettings(FormSettings):
    """A source of type `google-ads`. `fields` may name own questions by their column_id or column_name."""

    keyed_with = ("google_key",)

    google_key: SecretStr = Field(min_length=1, description="key typed in the lead form's webhook settings")
