"""What config.yaml may say about a site with WPForms."""

from connectors.formfields import FormSettings


class WpformsSettings(FormSettings):
    """A source of type `wpforms`. The addon signs nothing by itself: set `url_token`."""
