"""A verdict of the rules in one word and in one line, for every view that names one."""

from __future__ import annotations

from exaplan.nouns import Clause, Verdict
from exaplan.report.words import phrase, word


def verdict_word(name: str) -> str:
    """A verdict as one word in a table."""
    return word(f"law.verdicts.{name}")


def is_later(release: str, on: str) -> bool:
    """Whether a chip came out after a day; False where either is unknown. release: a day, month or year."""
    return bool(release and on) and release > on[: len(release)]


def brief(verdict: Verdict) -> str:
    """A verdict in one line, with the clause that decided."""
    name = word("law.brief", chip=verdict.chip, verdict=verdict_word(verdict.verdict), name=phrase(verdict.class_name))
    clause = decisive(verdict)
    where = f"{clause.rule} {clause.clause}".strip() if clause else word("law.no_rule")
    return f"{name}{word('law.comma')}{where}"


def decisive(verdict: Verdict) -> Clause | None:
    """The clause that decided: the first that holds and is enforced, or that hangs on what is unknown; None where no
    rule holds."""
    undecided = (clause for clause in verdict.clauses if verdict.verdict == "unknown" and clause.holds is None)
    holding = (clause for clause in verdict.clauses if clause.holds and clause.enforced)
    return next(undecided, None) or next(holding, None)
