"""Documents before the answer: what an index takes of memory and time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from exaplan.catalog import fits
from exaplan.errors import InputError
from exaplan.planning.serving.kinds import kinds
from exaplan.planning.serving.pipeline import Retrieval, retrieval_of
from exaplan.planning.serving.question import question_of
from exaplan.planning.serving.wiring import slowed

from .made import CATALOG, asked, table

DOCUMENTS = {"documents": 10_000, "chunks": 10, "dimension": 1024, "chunk": 256, "top_k": 4}


def retrieval(**rag: Any) -> Retrieval:
    """100,000 vectors of 1,024 elements on H100."""
    made = question_of(asked({"rag": {**DOCUMENTS, **rag}}), CATALOG)
    found = retrieval_of(made, kinds(made).tried[0])
    assert found is not None
    return found


def test_an_ask_without_documents_has_no_stations() -> None:
    """No retrieval where none is asked."""
    made = question_of(asked(), CATALOG)
    assert retrieval_of(made, kinds(made).tried[0]) is None


def test_a_flat_index_is_read_whole() -> None:
    """100,000 x 1,024 x 4 B lie in memory, and are read for each question at what passes reach of the bandwidth."""
    found = retrieval()
    assert found.index == found.scanned == pytest.approx(100_000 * 1024 * 4)
    chip = found.kind.chip
    speed = chip.bandwidth * fits.vector(chip.architecture).memory
    assert found.times(1)["search"] == pytest.approx((found.index / speed, found.index / speed))
    assert found.times(4)["search"][0] == pytest.approx(found.index / speed / 4)


def test_an_ivf_index_reads_its_centres_and_the_probed_lists() -> None:
    """1,000 lists of 100 vectors: 1,000 centres and 10 lists are 2,000 vectors of 1,024."""
    found = retrieval(index="ivf", lists=1000, probes=10)
    assert found.scanned == pytest.approx(2000 * 1024 * 4) and found.index == pytest.approx(101_000 * 1024 * 4)


def test_lists_that_nobody_gives_follow_the_rule_of_thumb() -> None:
    """The root of the vectors, and the root of that are probed."""
    found = retrieval(index="ivf")
    assert found.lists == math.ceil(math.sqrt(100_000)) and found.probes == math.ceil(math.sqrt(found.lists))


def test_small_models_take_time_and_memory_of_the_copy() -> None:
    """Embedding reads the question, ranking reads every candidate with it; both lie in the copy's memory."""
    bare, full = retrieval(), retrieval(embed="llama-3.1-8b", rerank="llama-3.1-8b", candidates=20)
    assert bare.weights == 0.0 and bare.indexing(8) is None and set(bare.times(2)) == {"search"}
    assert full.weights == pytest.approx(2 * 16.06e9, rel=0.02)
    assert full.memory(2) == pytest.approx((full.index + full.weights) / 2)
    times = full.times(2)
    assert times["rerank"][0] > 5.0 * times["embed"][0] > 0.0 and times["embed"][1] == times["embed"][0] / 2
    assert full.busy(2) == pytest.approx(sum(taken for _, taken in times.values()))


def test_indexing_is_shared_by_all_chips() -> None:
    """Twice the chips embed the documents in half the time."""
    found = retrieval(embed="llama-3.1-8b")
    once, twice = found.indexing(4), found.indexing(8)
    assert once is not None and twice is not None and once == pytest.approx(2.0 * twice) and once > 10.0


def test_an_unknown_small_model_is_refused_at_its_place() -> None:
    """The name of the field stands in the refusal."""
    with pytest.raises(InputError) as caught:
        _ = retrieval(embed="no-such-model").weights
    assert "no-such-model" in str(caught.value) and "embed" in str(caught.value)


def test_a_prompt_takes_its_documents_along() -> None:
    """512 tokens and 4 pieces of 256."""
    assert question_of(asked({"rag": DOCUMENTS}), CATALOG).traffic.prompt.mean == 512 + 4 * 256


def test_chips_that_share_their_time_are_slower_by_it() -> None:
    """A quarter of the time elsewhere: every iteration takes 4/3."""
    plain = table()
    found = slowed(plain, 0.25)
    assert np.allclose(found.linear, plain.linear / 0.75) and slowed(plain, 0.0) is plain
    assert found.knee == plain.knee and found.host == plain.host
