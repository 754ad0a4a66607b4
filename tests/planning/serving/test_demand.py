"""What a mean request takes: lengths, sessions, shared prefixes."""

from __future__ import annotations

import numpy as np
import pytest

from exaplan.nouns.serving import Lengths, Traffic
from exaplan.planning.serving.demand import demand_of, moments

FIXED = Traffic(Lengths("fixed", 1000.0), Lengths("fixed", 200.0), rate=1.0)


def test_lengths_have_their_moments() -> None:
    """Even lengths over the whole numbers of a range, lognormal ones by their cv."""
    values = np.arange(100, 301)
    even = moments(Lengths("uniform", 200.0, low=100, high=300))
    assert even.mean == pytest.approx(values.mean()) and even.square == pytest.approx((values**2.0).mean())
    assert even.most == 300.0
    spread = moments(Lengths("lognormal", 100.0, cv=2.0))
    assert spread.square == pytest.approx(100.0**2 * 5.0) and spread.most > 400.0


def test_a_sequence_is_met_half_way() -> None:
    """prompt + output / 2 tokens are seen on average; long answers are met longer."""
    assert demand_of(FIXED, False).context == pytest.approx(1100.0)
    uneven = Traffic(FIXED.prompt, Lengths("lognormal", 200.0, cv=1.0), rate=1.0)
    assert demand_of(uneven, False).context == pytest.approx(1200.0)


def test_a_shared_prefix_is_read_once() -> None:
    """On top of the prompt; with a prefix cache it is neither computed nor held again."""
    traffic = Traffic(FIXED.prompt, FIXED.output, rate=1.0, prefix=500)
    cold, warm = demand_of(traffic, False), demand_of(traffic, True)
    assert cold.read == 1500.0 and cold.past == 0.0 and cold.context == warm.context == 1600.0
    assert warm.read == 1000.0 and warm.past == 500.0 and warm.held == cold.held - 500.0


def test_a_session_carries_its_history() -> None:
    """Of 5 turns a mean prompt holds two earlier questions and answers: in the cache, or read again."""
    traffic = Traffic(FIXED.prompt, FIXED.output, rate=1.0, turns=5)
    cold, warm = demand_of(traffic, False), demand_of(traffic, True)
    assert cold.read == 1000.0 + 2 * 1200.0 and warm.read == 1000.0 and warm.past == 2400.0
    assert cold.longest == 5 * 1200.0


def test_a_window_slides_and_begins_anew() -> None:
    """A window keeps so many tokens and no cache helps it; without history a prompt is alone."""
    window = Traffic(FIXED.prompt, FIXED.output, rate=1.0, turns=3, history="window", keep=1200)
    found = demand_of(window, True)
    assert found.past == 0.0 and found.read == pytest.approx(1000.0 + (0 + 1200 + 1200) / 3)
    alone = Traffic(FIXED.prompt, FIXED.output, rate=1.0, turns=3, history="none")
    assert demand_of(alone, False).read == 1000.0


def test_documents_take_time_of_the_copy() -> None:
    """What is searched beside the model is carried along."""
    assert demand_of(FIXED, False, 0.05).extra == 0.05
