"""What the operator writes in config.yaml for one amoCRM or Kommo account."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.addresses import plain_address
from connectors.base import Capabilities, Rate

CALLS_PER_S = 7
"""Per integration, "Ограничения и рекомендации" in the amoCRM docs; the account as a whole has 50."""

VENDOR_HOSTS = (".amocrm.ru", ".amocrm.com", ".kommo.com")
"""Accounts there have no path; a proxy or a test server in front of one may."""


class AmocrmOAuth(BaseModel):
    """The integration's keys; the tokens come from `leadhub auth CONNECTION`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1, description="Integration id (uuid).")
    client_secret: SecretStr = Field(min_length=1, description="Secret key of the integration.")
    redirect_uri: str = Field(min_length=1, description="Exactly as registered in the integration.")


class AmocrmRate(BaseModel):
    """A pace other than the vendor's, for instance when other widgets use the same integration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: int = Field(gt=0, description="Calls in a window.")
    per_s: float = Field(default=1.0, gt=0, description="Length of the window in seconds.")


class AmocrmSettings(BaseModel):
    """One account: a long-lived token or OAuth, not both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["amocrm"] = "amocrm"
    base_url: str = Field(description="https://ACCOUNT.amocrm.ru or https://ACCOUNT.kommo.com.")
    access_token: SecretStr | None = Field(default=None, description="Long-lived token of a private integration.")
    oauth: AmocrmOAuth | None = Field(default=None, description="Instead of access_token.")
    hook_token: SecretStr | None = Field(
        default=None,
        min_length=8,
        description="Secret last part of the address of its webhooks, which amoCRM does not sign.",
    )
    rate: AmocrmRate | None = Field(default=None, description=f"Default: {CALLS_PER_S} calls per second.")

    @field_validator("base_url")
    @classmethod
    def _account_url(cls, value: str) -> str:
        address = plain_address(value)
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
        if host in ("www.amocrm.ru", "www.amocrm.com", "www.kommo.com"):
            raise ValueError("must be the account's own address, not the common www one")
        if parts.path and host.endswith(VENDOR_HOSTS):
            raise ValueError("must end after the host: https://mycompany.amocrm.ru, not the address of a page in it")
        return address

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.access_token is None) == (self.oauth is None):
            raise ValueError("give either access_token or oauth")
        if self.access_token is not None and not self.access_token.get_secret_value().strip():
            raise ValueError("access_token is empty")
        return self


def capabilities(settings: BaseModel) -> Capabilities:
    """Limits and times of the vendor's documents and of its official client; see NOTES.md."""
    rate = settings.rate if isinstance(settings, AmocrmSettings) else None
    return Capabilities(
        max_rate=Rate(rate.calls, rate.per_s) if rate else Rate(CALLS_PER_S, 1.0),
        max_batch=50,
        look_again_s=(0.0, 5.0, 35.0),
        recheck_s=(300.0, 3600.0),
        slowest_write_s=35.0,
        changes="poll",
        always_responsible=True,
    )
