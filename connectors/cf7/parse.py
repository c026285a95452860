"""A post of a Contact Form 7 webhook plugin -> a lead. Keys are the form's tags: your-name, your-tel."""

from dataclasses import replace

from connectors.cf7.settings import Cf7Settings
from connectors.doors import Inbound, Parsed
from connectors.formfields import body_of, lead_of, plain_values

_FORM_ID = "_wpcf7"


def parse(settings: Cf7Settings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Fields of the plugin itself (`_wpcf7…`, `_wpnonce`) say nothing of the person."""
    body = body_of(inbound)
    if body is None:
        return Parsed()
    values = plain_values(body.pairs)
    form_id = values.get(_FORM_ID, "")
    values = {path: value for path, value in values.items() if not path.startswith((_FORM_ID, "_wpnonce"))}
    if not values:
        return Parsed()
    lead = lead_of(
        settings,
        inbound,
        region,
        values,
        own_names=settings.fields,
        flags=("charset_guessed",) if body.charset_guessed else (),
        extra={f"{upload.field} (file)": upload.filename for upload in body.files},
    )
    return Parsed((lead if lead.form else replace(lead, form=form_id),))
