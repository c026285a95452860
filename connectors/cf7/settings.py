"""What config.yaml may say about a Contact Form 7 site."""

from connectors.formfields import FormSettings


class Cf7Settings(FormSettings):
    """A source of type `cf7`. The plugins sign nothing: set `url_token`."""
