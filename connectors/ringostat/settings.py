"""What config.yaml may say about a Ringostat project."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from connectors.callfields import CallSettings

OURS: Final = (
    "call_id", "event", "direction", "client", "line", "extension", "employee", "started_at", "duration_s", "ring_s",
    "talk_s", "disposition", "recording_url", "name", "email", "page_url", "landing_page", "referrer", "extra",
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term",
    "gclid", "yclid", "fbclid", "_ym_uid", "client_id", "roistat_visit",
)  # fmt: skip
"""What `fields:` may name on its right side."""


def _are_ours(names: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(names.values()) - set(OURS))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r} on the right side; allowed: {', '.join(OURS)}")
    return names


class RingostatSettings(CallSettings):
    """A source of type `ringostat`. It signs nothing: set `url_token`."""

    fields: Annotated[dict[str, str], AfterValidator(_are_ours)] = Field(
        default_factory=dict,
        description="names of parameters as chosen at Ringostat -> ours, where they differ from Ringostat's own",
    )
    auth_key: SecretStr | None = Field(
        None, min_length=1, description="Auth-key of the project, for its list of calls and for calling"
    )
    project_id: str = Field(
        "", coerce_numbers_to_str=True, description="number of the project, where the key has several"
    )
    api_url: str = Field("https://api.ringostat.net", description="where the API lives")
