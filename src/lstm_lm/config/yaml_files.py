"""Writing YAML files that people edit."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ruamel.yaml import YAML


def editor() -> "YAML":
    """Return a YAML reader and writer that keeps comments, quotes and lines as they are, and writes None as `null`."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096  # no line is broken
    yaml.preserve_quotes = True
    # Otherwise null would become an empty value.
    yaml.representer.add_representer(type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null"))
    return yaml
