"""What config.yaml may say, apart from what each vendor's own settings add."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    SkipValidation,
)

from jobs.config.kinds import (
    DatabaseUrl,
    DayTime,
    Listen,
    Network,
    PositiveDuration,
    PublicUrl,
    Region,
    Size,
    Url,
    Zone,
    as_list,
    split_listen,
)
from mappings.views import Hub as HubView

MIN_KEY_CHARS = 16
Locale = Literal["ru", "en"]


class Strict(BaseModel):
    """Unknown settings are refused and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _long_enough(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for key in keys:
        if len(key.get_secret_value()) < MIN_KEY_CHARS:
            raise ValueError(
                f"is too short: at least {MIN_KEY_CHARS} characters; make one with "
                '`python3 -c "import secrets; print(secrets.token_hex(32))"`'
            )
    return keys


Names = Annotated[tuple[str, ...], BeforeValidator(as_list)]
SecretKeys = Annotated[tuple[SecretStr, ...], BeforeValidator(as_list), AfterValidator(_long_enough)]


class Fallback(Strict):
    """The second way out: a lead that the CRM does not take is told to people, and stays owed to the CRM."""

    after: PositiveDuration = Field(timedelta(minutes=10), description="how long a lead may be undelivered; 10m")
    to: Names = Field(min_length=1, description="names of alert channels")


class Hub(Strict):
    """The hub itself."""

    listen: Listen = Field("127.0.0.1:8080", description="host:port of the web side")
    public_url: PublicUrl | None = Field(None, description="base of the webhook addresses shown to people")
    database: DatabaseUrl = Field(
        SecretStr("sqlite:///var/leadhub.db"),
        description="sqlite:///file or postgresql://user:password@host1,host2/name",
    )
    timezone: Zone = Field("UTC", description="zone of days, of working hours and of texts for people")
    locale: Locale = Field("en", description="ru or en: language of the console and the alerts")
    default_region: Region | None = Field(None, description="country of phones without a country code, such as RU")
    secret_key: SecretKeys = Field(
        (), description="encrypts stored tokens, signs sessions; a list rotates: newest first, at least 16 characters"
    )
    spool_dir: Path = Field(Path("var/spool"), description="where leads wait when the database cannot be written")
    trusted_proxies: tuple[Network, ...] = Field(
        ("127.0.0.1", "::1"),
        description="proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; []: none",
    )
    max_body: Size = Field(1_000_000, ge=1_000, le=100_000_000, description="largest request, in bytes or as 1 MB")
    late_after: PositiveDuration = Field(timedelta(seconds=60), description="a lead undelivered so long is late; 60s")
    max_age: PositiveDuration = Field(timedelta(days=3), description="how long delivery is retried; 3d")
    fallback: Fallback | None = Field(None, description="who is told of a lead that the CRM does not take")

    @property
    def view(self) -> HubView:
        """What an expression may know of it."""
        return HubView(self.locale, self.timezone, str(self.public_url or ""), self.default_region or "")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return split_listen(self.listen)


class Sandbox(Strict):
    """The built-in CRMs to try things out, started together with `leadhub serve`."""

    listen: Listen = Field("127.0.0.1:8090", description="host:port of the sandbox CRMs")
    state_file: Path = Field(Path("var/sandbox.json"), description="where they keep what arrived")

    @property
    def address(self) -> tuple[str, int]:
        return split_listen(self.listen)


@dataclass(frozen=True, slots=True)
class Configured:
    """One connection, source or alert channel: `type` names the vendor, `settings` is that vendor's own model."""

    name: str
    type: str
    settings: BaseModel


class Alerts(Strict):
    """Who is told when something is wrong, and how much."""

    channels: Annotated[dict[str, Configured], SkipValidation] = Field(
        default_factory=dict, description="name -> where alerts go"
    )
    show_personal: bool = Field(False, description="true: names and phones may stand in alerts")
    heartbeat_url: Url | None = Field(None, description="asked for regularly, so that the hub's own death is noticed")
    locale: Locale | None = Field(None, description="ru or en; default: hub.locale")
    digest_at: DayTime | None = Field(None, description="HH:MM of the daily summary, in hub.timezone; default: none")
