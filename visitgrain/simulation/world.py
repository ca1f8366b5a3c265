"""The parameters of the simulated world, read from conf/simulation.yaml."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from visitgrain.catalogue.yaml_file import Strict, parse
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, ENTRY_SOURCES, EVENT_TYPES

WORLD_FILE = Path(__file__).parents[2] / "conf" / "simulation.yaml"

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Weights = Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1)]


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
    shared_device_share: Share
    borrowed_visit_share: Share
    kiosk_visit_share: Share
    pushes_per_day: Share
    bot_share: Share
    bot_day_share: Share


class Rhythm(Strict):
    """Relative frequency of visits by local weekday (Monday first) and hour."""

    weekdays: tuple[Positive, ...] = Field(min_length=7, max_length=7)
    hours: tuple[Positive, ...] = Field(min_length=24, max_length=24)


class Silence(Strict):
    """Log-odds of falling silent in a month: `base` plus the weights of the drivers that hold."""

    base: float
    contract_ends: float
    over_quota: float
    new_customer: float
    few_sticky_services: float
    leaves_share: Share


class Dirt(Strict):
    """Shares of events that are delivered late, twice, in conflict or broken."""

    duplicate: Share
    conflicting: Share
    malformed: Share
    late: Share
    too_late: Share

    @property
    def copies(self) -> dict[str, float]:
        """Kinds of rows that come on top of the good ones."""
        return {"duplicate": self.duplicate, "conflicting": self.conflicting, "malformed": self.malformed}


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
    weight: float = 0


class Step(Strict):
    """One step of a script. Kept if its draw, uniform on [0, 1), falls into `when`."""

    event: Literal[EVENT_TYPES]
    page: str | None = None
    touchpoint: str | None = None
    about: Literal["nothing", "business", "product"] = "nothing"
    step_no: int | None = None
    points: tuple[int, int] | None = None
    prop: str | None = None
    value: str | None = None
    between: tuple[int, int] | None = None
    when: tuple[Share, Share] = (0.0, 1.0)
    draw: str | None = None
    gate: bool = False

    @model_validator(mode="after")
    def _prop_has_one_value(self) -> Step:
        given = (self.value is not None) + (self.between is not None)
        if given != (self.prop is not None):
            raise ValueError("a prop needs either `value` or `between`, and they need a prop")
        return self


class Script(Strict):
    """What a visit of one kind does."""

    weight: Positive
    pace_s: Positive
    business: Weights
    steps: tuple[Step, ...] = Field(min_length=2)
    needs_login: bool = True

    @model_validator(mode="after")
    def _begins_and_logs_in(self) -> Script:
        if self.steps[0].event != "launch" or self.steps[0].when != (0.0, 1.0):
            raise ValueError("the first step must be a launch that always happens")
        if [step.event for step in self.steps].count("login") != 1:
            raise ValueError("exactly one step must be a login")
        unknown = sorted(set(self.business) - set(BUSINESSES))
        if unknown:
            raise ValueError(f"unknown business {unknown[0]!r}; allowed: {', '.join(BUSINESSES)}")
        return self


class Bot(Strict):
    """A script that reads pages at a rate no person reaches."""

    pages: int = Field(ge=1, le=900)
    pace_s: Positive
    user_agent: str


class World(Strict):
    """Everything that shapes a simulated feed besides its size, span and seed."""

    population: Population
    rhythm: Rhythm
    silence: Silence
    channels: Weights
    sources: Weights
    logins: Weights
    logout_share: Share
    borrowed_logout_share: Share
    pause_share: Share
    dirt: Dirt
    offline_orders_per_month: Share
    offline_channels: Weights
    topup_amounts: tuple[int, ...] = Field(min_length=1)
    releases: dict[str, date] = Field(min_length=1)
    products: tuple[Product, ...]
    scripts: dict[str, Script] = Field(min_length=1)
    push: Step
    bot: Bot

    @model_validator(mode="after")
    def _names_exist(self) -> World:
        known = {"channels": CHANNELS, "sources": ENTRY_SOURCES, "logins": ("remembered", "login", "anonymous")}
        for field, allowed in known.items():
            for name in getattr(self, field):
                if name not in allowed:
                    raise ValueError(f"{field}: unknown name {name!r}; allowed: {', '.join(allowed)}")
        sold = {product.business for product in self.products}
        for name, script in self.scripts.items():
            about_product = any(step.about == "product" for step in script.steps)
            if about_product and not set(script.business) <= sold:
                raise ValueError(f"scripts.{name}: no product of business {sorted(set(script.business) - sold)[0]!r}")
        if not any(plan.weight for plan in self.plans):
            raise ValueError("products: no plan has a weight, so nobody could hold one")
        return self

    @property
    def plans(self) -> tuple[Product, ...]:
        return tuple(product for product in self.products if product.business == "plan")

    @property
    def offers(self) -> tuple[tuple[str, Product | None], ...]:
        """What a visit can be about: each product, and each business that sells none, such as a top-up."""
        sold = {product.business for product in self.products}
        return (
            *((product.business, product) for product in self.products),
            *((business, None) for business in BUSINESSES if business not in sold),
        )

    def offer_weights(self, script: Script) -> list[float]:
        """Weight of each offer in `script`: that of its business, shared equally by the offers of the business."""
        businesses = [business for business, _ in self.offers]
        return [script.business.get(business, 0.0) / businesses.count(business) for business in businesses]


def load_world(path: Path = WORLD_FILE) -> World:
    """The world described in `path`. Raises ConfigError."""
    return parse(World, path, label="conf/simulation.yaml" if path == WORLD_FILE else None)
