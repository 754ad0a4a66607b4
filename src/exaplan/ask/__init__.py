"""The question: its schema (units, defaults), and how plain values become one.

Reading a file is the catalogue's work (it keeps the place of every value); ``parse`` takes what it read.
"""

from exaplan.ask.base import MOST_CHIPS, BaseAsk, FleetItem
from exaplan.ask.common import check_single
from exaplan.ask.law import LawAsk
from exaplan.ask.reading import SPELLINGS, json_schema, kind_of, parse, parse_day, parse_law, paths
from exaplan.ask.schema import Ask
from exaplan.ask.serving import ServeAsk
from exaplan.ask.serving_together import check_loaded, check_promised
from exaplan.ask.values import dotted, fleet_items

__all__ = [
    "MOST_CHIPS",
    "SPELLINGS",
    "Ask",
    "BaseAsk",
    "FleetItem",
    "LawAsk",
    "ServeAsk",
    "check_loaded",
    "check_promised",
    "check_single",
    "dotted",
    "fleet_items",
    "json_schema",
    "kind_of",
    "parse",
    "parse_day",
    "parse_law",
    "paths",
]
