"""Export rules as data: files of data/rules/ become a `Book`, which knows what is in force on a day.

`exaplan.rules` evaluates it. A new rule is a new file; it says which clauses of earlier rules it ends or suspends
and which memberships of place groups it changes, each from its own day on, so that it never touches an earlier day.
"""

from exaplan.catalog.laws.book import Book
from exaplan.catalog.laws.nouns import (
    GRADES,
    Active,
    Change,
    Country,
    Group,
    Listing,
    Membership,
    Provision,
    Regime,
    Rule,
    Threshold,
)
from exaplan.catalog.laws.reading import read_rules

__all__ = [
    "GRADES",
    "Active",
    "Book",
    "Change",
    "Country",
    "Group",
    "Listing",
    "Membership",
    "Provision",
    "Regime",
    "Rule",
    "Threshold",
    "read_rules",
]
