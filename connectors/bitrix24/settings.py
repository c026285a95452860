"""What config.yaml says about one Bitrix24 portal."""

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.addresses import plain_address

_WEBHOOK = re.compile(r"^(?P<site>https?://[^?#]*?)/rest/(?P<user>\d+)/(?P<secret>[^/?#]+)(?:/(?P<rest>.*))?$", re.I)
_METHOD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+/?", re.I)
"""What the portal's page shows behind the secret as an example, such as profile.json; it may be copied along."""
OAUTH_SERVER = "https://oauth.bitrix24.tech"


class _Part(BaseModel):
    # hide_input_in_errors: the webhook address is itself the secret
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Bitrix24OAuth(_Part):
    client_id: str = Field(min_length=1, description="application id (client_id) of the local or market app")
    client_secret: SecretStr = Field(description="application key (client_secret)")
    redirect_uri: str = Field(default="", description="only for the record: the vendor takes it from the app's card")
    server: str = Field(default=OAUTH_SERVER, description="authorization server")

    @field_validator("server")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return plain_address(value)


class RateSetting(_Part):
    calls: int = Field(gt=0, description="requests at once (with leak_per_s), or in any `per_s` seconds")
    per_s: float = Field(default=1.0, gt=0, description="length of the window in seconds")
    leak_per_s: float = Field(default=0.0, ge=0, description="requests a second that the bucket leaks; 0 = a window")


class Bitrix24Settings(_Part):
    """Either `webhook_url` (incoming webhook) or `oauth` with the portal's address."""

    type: Literal["bitrix24"] = "bitrix24"
    webhook_url: SecretStr | None = Field(default=None, description="https://PORTAL/rest/USER/SECRET/")
    base_url: str = Field(default="", description="with oauth: the portal's address; may have a path")
    portal: str = Field(default="", description="with oauth, instead of base_url: mycompany.bitrix24.ru")
    oauth: Bitrix24OAuth | None = Field(default=None, description="instead of webhook_url: an application")
    application_token: SecretStr | None = Field(default=None, description="checks the portal's events")
    record: Literal["auto", "deal", "lead"] = Field(
        default="auto", description="what an enquiry becomes; auto asks the portal: classic mode lead, simple mode deal"
    )
    rate: RateSetting | None = Field(default=None, description="instead of a bucket of 45 that leaks 1.95 a second")
    max_batch: int = Field(default=50, ge=1, le=50, description="most commands in one request when there is a backlog")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return plain_address(value) if value else ""

    @field_validator("portal")
    @classmethod
    def _host(cls, value: str) -> str:
        return plain_address(value if "://" in value else f"https://{value}") if value else ""

    @field_validator("webhook_url")
    @classmethod
    def _webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if "?" in text or "#" in text:
            raise ValueError("must end after SECRET/: leave out everything from the ? or # on")
        parts = _WEBHOOK.match(text)
        if parts is None:
            raise ValueError("must look like https://PORTAL/rest/USER/SECRET/")
        plain_address(parts["site"])
        if parts["rest"] and not _METHOD.fullmatch(parts["rest"]):
            raise ValueError("must end after SECRET/: something more stands behind it")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.webhook_url is None) == (self.oauth is None):
            raise ValueError("give either webhook_url or oauth")
        if self.oauth is not None and not (self.base_url or self.portal):
            raise ValueError("oauth needs base_url: the portal's address")
        return self

    def site(self) -> str:
        """Where people open the portal: scheme, host and path prefix, no slash at the end."""
        match = self._webhook_parts()
        if match:
            return match["site"]
        return self.base_url or self.portal

    def webhook_path(self) -> str:
        """`USER/SECRET/` of the webhook, "" with oauth."""
        match = self._webhook_parts()
        return f"{match['user']}/{match['secret']}/" if match else ""

    def secrets(self) -> list[str]:
        """What may never appear in a log or an error."""
        match = self._webhook_parts()
        found = [match["secret"]] if match else []
        if self.oauth is not None:
            found.append(self.oauth.client_secret.get_secret_value())
        if self.application_token is not None:
            found.append(self.application_token.get_secret_value())
        return found

    def _webhook_parts(self) -> re.Match[str] | None:
        return None if self.webhook_url is None else _WEBHOOK.match(self.webhook_url.get_secret_value().strip())
