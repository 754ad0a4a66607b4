"""What chips cost on a day, seen from home or from the destination, and which of them may be had there on that day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from exaplan.catalog import Catalog
from exaplan.catalog.prices import HOME
from exaplan.nouns import Chip, Cluster, Duty
from exaplan.planning.legal import Law, released
from exaplan.planning.offers import Basis, Quote, quotes
from exaplan.planning.standing import stands_there, timely, until
from exaplan.rules import timeline

TERMS = ("buy", "rent")


@dataclass(frozen=True)
class Market:
    """Quotes by chip, day, basis and terms, each read once. country: of the destination; vat: whether the buyer bears
    it."""

    catalog: Catalog
    country: str
    vat: bool
    _known: dict[tuple[str, str, Basis, str], tuple[Quote, ...]] = field(default_factory=dict, compare=False)
    _days: dict[str, Catalog] = field(default_factory=dict, compare=False)

    @property
    def home(self) -> Basis:
        """Prices of home, before duties and taxes; a chip without a price there takes that of its parent."""
        return Basis(place=HOME, parent=True)

    @property
    def local(self) -> Basis:
        """Prices of the destination, before duties and taxes."""
        return Basis(place=self.country, parent=True)

    @property
    def taxed(self) -> Basis:
        """Prices of the destination with import duty and value-added tax."""
        return Basis(place=self.country, duties=True, parent=True, vat=self.vat)

    def quotes(self, cluster: Cluster, day: str, basis: Basis, terms: str) -> tuple[Quote, ...]:
        """The ways to pay for the chip of a cluster, at prices that say something of the day."""
        key = (cluster.chip.name, day, basis, terms)
        if key not in self._known:
            found = quotes(self.until(day), cluster, terms, day, basis=basis)
            self._known[key] = tuple(quote for quote in found if timely(quote.figure.date, day))
        return self._known[key]

    def until(self, day: str) -> Catalog:
        """The catalogue without prices that come too late for the day."""
        if day not in self._days:
            self._days[day] = until(self.catalog, day)
        return self._days[day]

    def priced(self, cluster: Cluster) -> bool:
        """Whether any price of a chip is known, of any day and place: every basis looks everywhere in the end."""
        return bool(quotes(self.catalog, cluster, "any", basis=self.home))

    def stands_there(self, cluster: Cluster, day: str) -> bool:
        """Whether a chip can stand in the destination to be rented."""
        return stands_there(self.catalog, cluster, self.country, day)


HARDWARE = ("chips", "host", "servers")  # parts of a purchase that a duty on chips is a share of
CAPITAL = (*HARDWARE, "network", "storage", "duties", "vat")  # parts that are paid up front


def dutied(quote: Quote, rate: float) -> Quote:
    """A purchase with a further duty of ``rate`` [1] on its servers; what follows from the capital grows with it."""
    share = sum(quote.parts.get(name, 0.0) for name in HARDWARE) / sum(quote.parts.get(name, 0.0) for name in CAPITAL)
    more = 1.0 + rate * share
    extra = (quote.rate - quote.upkeep[0]) * (more - 1.0)
    whole = 1.0 + extra / quote.rate
    return quote._replace(
        rate=quote.rate * whole,
        low=quote.low * whole,
        high=quote.high * whole,
        capital=quote.capital * more,
        least=quote.least * more,
        largest=quote.largest * more,
        wear=quote.wear * more,
        parts={**quote.parts, "duties": quote.parts.get("duties", 0.0) + extra},
        ladder={tiers: dutied(one, rate) for tiers, one in quote.ladder.items()},
    )


@dataclass(frozen=True)
class Day:
    """A day (ISO) with the law that holds on it."""

    on: str
    law: Law
    market: Market

    def out(self, chip: Chip) -> bool:
        """Whether a chip was released by the day."""
        return released(chip, self.on) is True

    def quotes(self, cluster: Cluster, basis: Basis, terms: str) -> tuple[Quote, ...]:
        """The ways to pay for the chip of a cluster, with what the rules themselves take of a chip that comes from
        abroad, where duties are counted."""
        found = self.market.quotes(cluster, self.on, basis, terms)
        if basis == self.market.home and self._local_only(cluster.chip, found):
            found = self.market.quotes(cluster, self.on, self.market.local, terms)
        rate = sum(duty.rate for duty in self.taken(cluster.chip)) if basis.duties and terms == "buy" else 0.0
        if not rate:
            return found
        return tuple(quote if quote.place == self.market.country else dutied(quote, rate) for quote in found)

    def _local_only(self, chip: Chip, found: tuple[Quote, ...]) -> bool:
        """Whether a chip has its price of the destination at home, too: it is made there, or sold nowhere else."""
        return self.law.domestic(chip) or any(quote.place == self.market.country for quote in found)

    def taken(self, chip: Chip) -> tuple[Duty, ...]:
        """Duties of the rules that the buyer bears: a share of the seller's revenue is in the seller's price."""
        return tuple(duty for duty in self.law.verdict(chip).duties if "seller" not in duty.base)

    def possible(self, cluster: Cluster, terms: str) -> bool:
        """Whether a chip can be had on the day at all, were there no rule: it was out, and can stand there."""
        return self.out(cluster.chip) and (terms == "buy" or self.market.stands_there(cluster, self.on))

    def usable(self, chip: Chip, terms: str) -> bool:
        """Whether a chip may be bought, or rented, in the destination.

        What the law let in before is there to be rented: a chip that could be had under the law on some day since its
        release.
        """
        return self.law.usable(chip) or (terms == "rent" and was_usable(self.law, chip))


def was_usable(law: Law, chip: Chip) -> bool:
    """Whether a chip could be had on some day since its release up to that of the law. Of the time before the first
    rule of chips only its eve counts: older rules are encoded coarsely."""
    if not chip.release:
        return False
    eve = (date.fromisoformat(law.book.since) - timedelta(days=1)).isoformat()
    since = max((chip.release + "-01-01"[len(chip.release) - 4 :])[:10], eve)
    if since > law.deal.on:
        return False
    found = timeline(law.sold(chip), law.deal, law.book, since=since)
    return any(verdict.verdict in law.accept for on, verdict in found if on <= law.deal.on)


def on_day(law: Law, day: str, market: Market) -> Day:
    """The day of a series."""
    return Day(day, law.on(day), market)
