"""Documents before the answer: embed the question, search the index, rank what was found again; what each step takes.

All of it runs on the chips of a copy, beside the model: the index and the small models lie in its memory, spread over
its chips, and their work takes time from it. Search reads vectors from memory (flat: all of them; ivf: the centres of
the lists and the vectors of those that are probed). J. Johnson, M. Douze and H. Jégou 2017, "Billion-scale similarity
search with GPUs", arXiv:1702.08734, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

from exaplan.ask.serving_parts import Rag
from exaplan.case import architecture_of
from exaplan.case import serving as cases
from exaplan.case.serving import ServeCase, Shape
from exaplan.catalog import fits
from exaplan.catalog.tuning import yaml_data
from exaplan.nouns.serving import Formats, Replica, Settings
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.question import Question

STEPS = ("embed", "search", "rerank")


def _figure(name: str) -> float:
    return float(yaml_data("retrieval.yaml")[name]["value"])


@dataclass(frozen=True, eq=False)
class Retrieval:
    """What a question's documents take on a chip type. [s, B of one copy]"""

    asked: Question
    kind: Kind
    rag: Rag

    @property
    def vectors(self) -> float:
        """Pieces of documents. [count]"""
        return float(self.rag.documents) * self.rag.chunks

    @property
    def index(self) -> float:
        """Memory of the index. [B] vectors x dimension x 4, and the centres of an ivf index"""
        lists = self.lists if self.rag.index == "ivf" else 0.0
        return (self.vectors + lists) * self.rag.dimension * _figure("vector_bytes")

    @property
    def lists(self) -> float:
        """Lists of an ivf index: given, or the root of the vectors. [count]"""
        return float(self.rag.lists or math.ceil(_figure("lists_per_root") * math.sqrt(self.vectors)))

    @property
    def probes(self) -> float:
        """Lists that are read for a question. [count]"""
        usual = math.ceil(_figure("probes_per_root") * math.sqrt(self.lists))
        return float(min(self.lists, self.rag.probes or usual))

    @property
    def scanned(self) -> float:
        """Bytes that a search reads. [B]"""
        row = self.rag.dimension * _figure("vector_bytes")
        if self.rag.index == "flat":
            return self.vectors * row
        return (self.lists + self.vectors * self.probes / self.lists) * row

    @property
    def weights(self) -> float:
        """Of the models that embed and rank. [B]"""
        return sum(case.weights for case in (self._embedder, self._ranker) if case)

    def memory(self, chips: int) -> float:
        """What all of it takes of each chip. [B]"""
        return (self.index + self.weights) / chips

    def times(self, chips: int) -> dict[str, tuple[float, float]]:
        """Step -> (s that a question is in it, s that it takes of a copy of so many chips).

        A small model runs on one chip, others of the copy work on other questions; a search runs on all of them.
        """
        out: dict[str, tuple[float, float]] = {}
        if self._embedder:
            one = _read(self._embedder, self.asked.ask.work.prompt.mean, 1.0)
            out["embed"] = (one, one / chips)
        speed = self.kind.chip.bandwidth * fits.vector(architecture_of(self.kind.cluster)).memory
        search = self.scanned / (speed * chips)
        out["search"] = (search, search)
        if self._ranker:
            tokens = self.rag.candidates * (self.rag.chunk + self.asked.ask.work.prompt.mean)
            one = _read(self._ranker, tokens, float(self.rag.candidates))
            out["rerank"] = (one, one / chips)
        return out

    def busy(self, chips: int) -> float:
        """Time that a question takes of a copy beside the model. [s]"""
        return sum(taken for _, taken in self.times(chips).values())

    def indexing(self, chips: int) -> float | None:
        """Time in which so many chips embed all documents. [s]; None: no embedding model is named"""
        if self._embedder is None:
            return None
        batch = _figure("embed_batch")
        each = _read(self._embedder, batch * self.rag.chunk, batch) / batch
        return self.vectors * each / chips

    @cached_property
    def _embedder(self) -> ServeCase | None:
        return self._small(self.rag.embed, "embed")

    @cached_property
    def _ranker(self) -> ServeCase | None:
        return self._small(self.rag.rerank, "rerank")

    def _small(self, name: str | None, field: str) -> ServeCase | None:
        """A model on one chip, in 16 bit."""
        if not name:
            return None
        asked = self.asked
        model = asked.catalog.model(name, near=asked.ask.folder, place=asked.ask.place("work", "rag", field))
        settings = Settings(asked.settings.engine, Formats())
        return cases.serve(model, self.kind.sized(1), self.kind.engine, settings, Replica())


def _read(case: ServeCase, tokens: float, pieces: float) -> float:
    """Time in which a small model reads tokens of so many texts, in iterations of the engine's size. [s]"""
    size = max(1.0, float(case.policy.max_tokens))
    rounds = max(1.0, math.ceil(tokens / size))
    shape = Shape(tokens / rounds, 0.0, max(1.0, pieces / rounds), 0.0, 0.0)
    return rounds * cases.iteration(case, shape)


@lru_cache(maxsize=256)
def retrieval_of(asked: Question, kind: Kind) -> Retrieval | None:
    """The documents of a question on a chip type; None where it has none."""
    return Retrieval(asked, kind, asked.ask.work.rag) if asked.ask.work.rag else None
