"""What config.yaml may say about a Google form."""

from connectors.formfields import FormSettings


class GoogleFormsSettings(FormSettings):
    """A source of type `google-forms`. The script signs nothing: set `url_token`. `fields` name whole questions."""
