"""What config.yaml may say about a web form."""

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from connectors.doors import DoorSettings, Rate, RateLimit
from connectors.webform.fields import OwnNames


class WebformSettings(DoorSettings):
    """A source of type `webform`. Every setting may be left out."""

    keyed_with: ClassVar[tuple[str, ...]] = ("key",)
    open_is_usual = True

    key: SecretStr | None = Field(
        None, description="secret that senders give as X-Leadhub-Key header, ?key= or Authorization: Bearer"
    )
    honeypot: str = Field("leadhub_hp", description="hidden field that people leave empty; filled in, it marks spam")
    cors_origins: tuple[str, ...] = Field(("*",), description="origins whose pages may send; '*' is any")
    rate_limit: Rate = Field(
        RateLimit(60, 60.0), description="leads from one address, e.g. 30/m; what is over is kept and marked as spam"
    )
    redirect: str = Field("", description="where the browser goes after a plain HTML form was sent; default: nowhere")
    redirect_hosts: tuple[str, ...] = Field(
        (), description="hosts that a form's own _redirect field may name, beside the host of `redirect`"
    )
    fields: OwnNames = Field(
        default_factory=dict, description="their field -> ours, for forms with names of their own, e.g. q1: phone"
    )

    @field_validator("redirect")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("expected an address that begins with https:// or http://")
        return value

    @field_validator("redirect_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not host or any(char in host for char in "/:@\\ "):
                raise ValueError("expected host names such as www.example.com, without https:// and path")
        return tuple(host.lower() for host in hosts)

    def allowed_hosts(self) -> frozenset[str]:
        """Hosts to which a visitor may be sent on."""
        own = urlsplit(self.redirect).hostname
        return frozenset((*self.redirect_hosts, *((own,) if own else ())))
