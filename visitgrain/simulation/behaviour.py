"""Sections of conf/simulation.yaml about what visits do: scripts and their steps, placements, campaigns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from visitgrain.catalogue.yaml_file import Strict
from visitgrain.simulation.parameters import NotNegative, Positive, Share
from visitgrain.tables.vocabulary import BUSINESSES, EVENT_TYPES

WINDOW_MOST = 28
TRAITS = ("over_quota", "senior", "young", "other")  # the first that holds is the group of a subscriber


class Step(Strict):
    """One step of a script. Kept if its draw, uniform on [0, 1), falls into `when`."""

    event: Literal[EVENT_TYPES]
    page: str | None = None
    touchpoint: str | None = None
    placement: str | None = None
    about: Literal["nothing", "business", "product"] = "nothing"
    step_no: int | None = None
    points: tuple[int, int] | None = None
    prop: str | None = None
    value: str | None = None
    between: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(le=100_000)]] | None = None
    when: tuple[Share, Share] = (0.0, 1.0)
    draw: str | None = None
    gate: bool = False

    @model_validator(mode="after")
    def _prop_has_one_value(self) -> Step:
        given = (self.value is not None) + (self.between is not None)
        if given != (self.prop is not None):
            raise ValueError("a prop needs either `value` or `between`, and they need a prop")
        if self.placement and (self.event != "impression" or self.prop or self.touchpoint):
            raise ValueError("a placement is an impression without prop and touchpoint: its slots have their own")
        return self


class Script(Strict):
    """What a visit of one kind does. Weight 0: nobody is sent there by chance."""

    weight: NotNegative
    pace_s: Positive
    business: dict[str, NotNegative]
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


class Placement(Strict):
    """A list of slots, one below the other, in which products stand in random rotation.

    A slot is clicked when it is examined, which its position alone decides, and attracts, which the product in it does
    (position-based model, Richardson et al. 2007). Every product is equally likely at each position: the propensity.
    """

    examination: tuple[Share, ...] = Field(min_length=1, max_length=20)
    attraction: dict[str, Share] = Field(min_length=1)

    @model_validator(mode="after")
    def _products_fill_the_slots(self) -> Placement:
        slots, products = len(self.examination), len(self.attraction)
        if products < slots:
            raise ValueError(f"{products} products for {slots} positions; a product stands in one slot at a time")
        return self


class Group(Strict):
    """Subscribers whom a campaign treats and who answer alike."""

    treatment: Share
    orders: Share
    uplift: Annotated[float, Field(ge=-1, le=1)]

    @model_validator(mode="after")
    def _answer_is_a_probability(self) -> Group:
        if not 0 <= self.orders + self.uplift <= 1:
            raise ValueError(f"orders + uplift is {self.orders + self.uplift:g}; allowed: 0 to 1")
        return self


class Campaign(Strict):
    """Once a month: an audience, a random arm, an exposure of the treated, and orders of `product` within the window.

    Who is not reached orders with probability `orders`, who is reached with `orders + uplift`.
    """

    product: str
    channel: Literal["app", "sms"]
    touchpoint: str
    day: int = Field(ge=1, le=28)
    window_days: int = Field(ge=2, le=WINDOW_MOST)
    audience_share: Share
    reached_share: Share
    script: str
    groups: dict[Literal[TRAITS], Group] = Field(min_length=len(TRAITS), max_length=len(TRAITS))
