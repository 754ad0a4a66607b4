"""A deployment while it is worked out: copies, and those that read prompts for them."""

from __future__ import annotations

from dataclasses import dataclass

from exaplan.planning.serving.copies import Copy


@dataclass(frozen=True, eq=False)
class Setup:
    """A deployment: copies, and those that read prompts for them where they only write."""

    copy: Copy
    replicas: int
    prefill: Copy | None = None
    prefill_replicas: int = 0

    @property
    def chips(self) -> int:
        """Chips of all copies."""
        more = self.prefill.chips * self.prefill_replicas if self.prefill else 0
        return self.copy.chips * self.replicas + more

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it itself."""
        return (id(self.copy), self.replicas, id(self.prefill), self.prefill_replicas)
