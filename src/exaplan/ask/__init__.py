"""The question: its schema (units, defaults), and how plain values become one.

Reading a file is the catalogue's work (it keeps the place of every value); ``parse`` takes what it read.
"""

from exaplan.ask.reading import parse, paths
from exaplan.ask.schema import Ask, dotted, json_schema

__all__ = ["Ask", "dotted", "json_schema", "parse", "paths"]
