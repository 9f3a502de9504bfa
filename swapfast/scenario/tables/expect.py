"""``[[expect]]``: what must hold.

- ``ExpectTable``.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from swapfast.scenario.tables.base import MOST_ITEMS, Strict

__all__ = ["ExpectTable"]


class ExpectTable(Strict):
    """``[[expect]]``: a metric within bounds, or scopes in an order by it."""

    metric: str = Field(min_length=1, max_length=200, description="its mean over seeds is judged")
    scope: str | None = Field(default=None, description="of which; every one by default")
    below: float | None = Field(default=None, description="it is less than this")
    above: float | None = Field(default=None, description="it is more than this")
    equal: float | None = Field(default=None, description="it is this")
    order: tuple[str, ...] | None = Field(
        default=None, min_length=2, max_length=MOST_ITEMS, description="scopes, the least first"
    )
    why: str = Field(default="", max_length=500, description="told where it does not hold")

    @model_validator(mode="after")
    def _one(self) -> ExpectTable:
        bounds = [one for one in (self.below, self.above, self.equal) if one is not None]
        if bool(bounds) == (self.order is not None):
            raise ValueError("an expectation has below, above or equal; or order, of scopes")
        if self.order is not None and self.scope is not None:
            raise ValueError("an order is of several scopes, so it has no scope of its own")
        return self
