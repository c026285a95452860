"""What config.yaml may say about a site with Elementor forms."""

from connectors.formfields import FormSettings


class ElementorSettings(FormSettings):
    """A source of type `elementor`. Elementor signs nothing: set `url_token`."""
