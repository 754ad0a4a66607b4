"""How a machine is cooled (data/cooling.yaml), for what its node draws beside its chips."""

from __future__ import annotations

import re
from functools import cache

from exaplan.catalog.tuning import yaml_data

AIR, LIQUID = "air", "liquid"


@cache
def entry(name: str) -> dict[str, str]:
    """The first line of data/cooling.yaml whose pattern is found in a node's or a measured machine's name."""
    lowered = name.lower()
    return next(dict(line) for line in yaml_data("cooling.yaml") if re.search(line["match"], lowered))


def cooling(name: str) -> str:
    """air (fans in the server) or liquid (cold plates or immersion), by a machine's name."""
    return AIR if entry(name)["cooling"] == AIR else LIQUID
