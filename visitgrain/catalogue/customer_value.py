"""What counts as a visit and as a purchase of the value models, how far they look ahead, and the tiers of value."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

from pydantic import Field, field_validator

from visitgrain.catalogue.yaml_file import Strict
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS


class Tiers(Strict):
    """Cut points of the expected value: mid begins at the first, high at the second."""

    reference: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="month they were taken from")
    points_fen: tuple[float, float]

    @field_validator("points_fen")
    @classmethod
    def _rising(cls, points: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= points[0] < points[1]:
            raise ValueError(f"points_fen: {list(points)} do not rise from 0 on; write the lower one first")
        return points


class CustomerValue(Strict):
    """conf/catalogue/customer_value.yaml"""

    horizon_days: int = Field(ge=1, le=365)
    channels: tuple[Literal[CHANNELS], ...] = Field(min_length=1)  # type: ignore[valid-type]
    businesses_left_out: tuple[Literal[BUSINESSES], ...]  # type: ignore[valid-type]
    tiers: Tiers

    @property
    def definition_hash(self) -> str:
        """16 hex digits over all that the numbers depend on."""
        return blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()
