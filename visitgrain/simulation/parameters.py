"""Sections of conf/simulation.yaml about who is there, when they come, and what dirt the feed carries."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from visitgrain.catalogue.yaml_file import Strict
from visitgrain.tables.vocabulary import BUSINESSES

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Weights = Annotated[dict[str, NotNegative], Field(min_length=1)]
CIRCLE_MOST = 1024  # subscribers of a circle lie in one block


class Population(Strict):
    """Who is there, how often they come, and with which devices."""

    e_channel_share: Share
    visits_per_month: Positive
    visits_spread: Positive
    visits_per_day_most: int = Field(ge=1, le=20)
    joiners_share: Share
    joining_days: int = Field(ge=1)
    tenure_days: int = Field(ge=1)
    areas: tuple[str, ...] = Field(min_length=1)
    second_device_share: Share
    shared_device_share: Annotated[float, Field(ge=0, le=0.5)]
    borrowed_visit_share: Share
    kiosk_visit_share: Share
    kiosk_catchment: int = Field(ge=1)
    family_share: Share
    pushes_per_day: Share
    bot_share: Share
    bot_day_share: Share


class Numbers(Strict):
    """How numbers pass from one subscriber to the next, and how many web visits know the number alone."""

    recycled_share: Share
    quarantine_days: int = Field(ge=1)
    former_holder_share: Share
    number_only_share: Share


class Holdings(Strict):
    """Contracts and use. `data_use` is the median share of the plan's data that is used, log-normal between users."""

    contract_share: Share
    contract_months: int = Field(ge=12)
    broadband_share: Share
    broadband_days: int = Field(ge=1)
    data_use: Positive
    data_use_spread: Positive
    sticky_services: tuple[NotNegative, ...] = Field(min_length=1)


class Billing(Strict):
    """What a month costs, and what CRM knows. Extras and the use of a month are log-normal around their medians."""

    overage_fen_per_mb: NotNegative
    extras_fen: Positive
    extras_spread: NotNegative
    voice_min: Positive
    voice_spread: NotNegative
    month_spread: NotNegative
    silent_use: Share
    arrears_share: Share
    dnd_share: Share
    consent_share: Share
    refusal_share: Share


class Devices(Strict):
    """Operating systems, and how often the second phone of those who have one is used."""

    phones: Weights
    desktops: Weights
    second_phone_share: Share


class CouponHunters(Strict):
    """Subscribers who come for coupons and for nothing else: every visit runs through `script`."""

    share: Share
    visits_per_month: Positive
    script: str


class Sharing(Strict):
    """Who is shown what somebody shared: subscribers that joined the same circle later, within some hours."""

    circle: int = Field(ge=2, le=CIRCLE_MOST)
    visits_per_share: Annotated[float, Field(ge=0, le=5)]
    within_hours: int = Field(ge=1, le=240)

    @model_validator(mode="after")
    def _circles_fit_into_blocks(self) -> Sharing:
        if CIRCLE_MOST % self.circle:
            raise ValueError(f"circle: {self.circle} does not divide {CIRCLE_MOST}; allowed: a power of two")
        return self


class Rhythm(Strict):
    """Relative frequency of visits by local weekday (Monday first) and hour."""

    weekdays: tuple[Positive, ...] = Field(min_length=7, max_length=7)
    hours: tuple[Positive, ...] = Field(min_length=24, max_length=24)


def _is_day(text: str) -> str:
    if not re.fullmatch(r"((\d{4}-)?\d{2}-)?\d{2}", text):
        raise ValueError(f"{text!r} is no day; allowed: DD (of every month), MM-DD (of every year) or YYYY-MM-DD")
    return text


DayOf = Annotated[str, AfterValidator(_is_day)]


class Season(Strict):
    """Days from `first` to `last`, both included, on which there are more or fewer visits, or visits of other kinds."""

    first: DayOf
    last: DayOf
    visits: Positive = 1.0
    scripts: dict[str, NotNegative] = {}

    @model_validator(mode="after")
    def _dates_agree(self) -> Season:
        if len(self.first) != len(self.last) or self.first > self.last:
            raise ValueError(
                f"first {self.first!r} and last {self.last!r} must be written alike, the earlier one first"
            )
        return self


class Release(Strict):
    """A version of the app. A broken one crashes in a share of its visits until it is fixed on the server."""

    version: str
    released: date
    crash_share: Share = 0.0
    crash_days: int = Field(0, ge=0)


class Silence(Strict):
    """Log-odds of falling silent in a month: `base` plus the weights of the drivers that hold."""

    base: float
    contract_ends: float
    over_quota: float
    new_customer: float
    few_sticky_services: float
    leaves_share: Share


class Dirt(Strict):
    """Shares of events that are delivered late, out of order, twice, in conflict or broken."""

    duplicate: Share
    conflicting: Share
    malformed: Share
    late: Share
    too_late: Share
    out_of_order: Share

    @model_validator(mode="after")
    def _shares_add_up(self) -> Dirt:
        for names in (("duplicate", "conflicting", "malformed"), ("late", "too_late", "out_of_order")):
            total = sum(getattr(self, name) for name in names)
            if total > 1:
                raise ValueError(f"{' + '.join(names)} is {total:g}; allowed: 1 at most, an event is one of them")
        return self


class Product(Strict):
    """One row of `products`; `weight` is the share of subscribers on a plan."""

    product_id: str
    name: str
    business: Literal[BUSINESSES]
    price_fen: int = Field(ge=0)
    tier: str
    stickiness: Share
    capacity: int | None = None
    quota_mb: int | None = None
    weight: NotNegative = 0
    campaign_only: bool = False
