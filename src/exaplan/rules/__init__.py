"""What the encoded export rules say of a chip, a place, a company and a day. Analysis, not legal advice.

``check`` decides one deal, ``timeline`` tells when the answer changes, ``thresholds`` gives the lines of a chart of
total processing performance (TPP) against performance density (PD). Rules are data: `exaplan.catalog.laws`.
"""

from exaplan.catalog.laws import Book
from exaplan.rules.charting import thresholds
from exaplan.rules.checking import check, timeline
from exaplan.rules.facts import Facts, facts, tpp

__all__ = ["Book", "Facts", "check", "facts", "thresholds", "timeline", "tpp"]
