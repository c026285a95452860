"""What config.yaml says about one HubSpot account."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.addresses import plain_address

ApiVersion = Literal["2026-03", "2026-09", "v3"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSpotOAuth(_Part):
    client_id: str = Field(min_length=1, description="client id of the app")
    client_secret: SecretStr = Field(description="client secret of the app")
    redirect_uri: str = Field(min_length=1, description="must be one of the app's redirect URLs, letter for letter")


class RateSetting(_Part):
    calls: int = Field(gt=0, description="calls allowed in any window of `per_s` seconds")
    per_s: float = Field(default=10.0, gt=0, description="length of the window in seconds")


class HubSpotSettings(_Part):
    """Either `access_token` (service key, private app or static app token) or `oauth`."""

    type: Literal["hubspot"] = "hubspot"
    base_url: str = Field(default="https://api.hubapi.com", description="where the API is; may have a path")
    access_token: SecretStr | None = Field(default=None, description="service key or private app token")
    oauth: HubSpotOAuth | None = Field(default=None, description="instead of access_token: an OAuth app")
    client_secret: SecretStr | None = Field(default=None, description="of the app; checks its webhooks")
    api_version: ApiVersion = Field(default="2026-03", description="which paths are used")
    rate: RateSetting | None = Field(default=None, description="instead of 100 calls per 10 s (OAuth: 110)")
    portal_id: str = Field(default="", pattern=r"^\d*$", description="account number, for links; else asked for")
    app_url: str = Field(default="https://app.hubspot.com", description="where people see records and grant access")

    @field_validator("base_url", "app_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return plain_address(value)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.access_token is None) == (self.oauth is None):
            raise ValueError("give either access_token or oauth")
        if self.access_token is not None and not self.access_token.get_secret_value().strip():
            raise ValueError("access_token is empty")
        return self
