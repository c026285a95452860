"""What config.yaml may say about a site with Gravity Forms."""

from connectors.formfields import FormSettings


class GravityformsSettings(FormSettings):
    """A source of type `gravityforms`. The add-on signs nothing: set `url_token`.

    `fields` names the form's numbers, e.g. `"3": phone`; without it they are told by what stands in them.
    """
