"""The question: its schema (units, defaults), and how plain values become one.

Reading a file is the catalogue's work (it keeps the place of every value); ``parse`` takes what it read.
"""

from exaplan.ask.law import LawAsk
from exaplan.ask.reading import SPELLINGS, parse, parse_day, parse_law, paths
from exaplan.ask.schema import MOST_CHIPS, Ask, FleetItem, json_schema
from exaplan.ask.together import check_single
from exaplan.ask.values import dotted, fleet_items

__all__ = [
    "MOST_CHIPS",
    "SPELLINGS",
    "Ask",
    "FleetItem",
    "LawAsk",
    "check_single",
    "dotted",
    "fleet_items",
    "json_schema",
    "parse",
    "parse_day",
    "parse_law",
    "paths",
]
