"""A draft as an answer shows it: its setting, term by term, with the published run that is most like it."""

from __future__ import annotations

from dataclasses import replace

from exaplan.answers import Priced
from exaplan.planning.candidates import Candidate
from exaplan.planning.drafts import Draft
from exaplan.planning.nearest import nearest as nearest_run
from exaplan.planning.pricing import assess, priced
from exaplan.planning.resolving import Setting, resized


def setting_at(candidate: Candidate, found: Draft) -> Setting:
    """The setting of a draft: its count and place."""
    cluster = found.option.cluster
    return resized(candidate.setting, cluster.count, cluster.site)


def shown(candidate: Candidate, found: Draft) -> Priced:
    """A plan, term by term, with the published run that is most like it."""
    setting = setting_at(candidate, found)
    made, interval = assess(setting, found.layout)
    return replace(priced(made, interval, found), nearest=nearest_run(setting, found.layout))
