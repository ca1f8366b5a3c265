"""The simulated world as conf/simulation.yaml describes it: every planted number, checked when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, model_validator

from visitgrain.catalogue.yaml_file import Strict, parse
from visitgrain.errors import suggestion
from visitgrain.simulation.behaviour import Bot, Campaign, Placement, Script, Step
from visitgrain.simulation.parameters import (
    Billing,
    CouponHunters,
    Devices,
    Dirt,
    Holdings,
    Numbers,
    Population,
    Product,
    Release,
    Rhythm,
    Season,
    Share,
    Sharing,
    Silence,
    Weights,
)
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, ENTRY_SOURCES, ORDER_CHANNELS, ORDER_STATUSES

WORLD_FILE = Path(__file__).parents[2] / "conf" / "simulation.yaml"
LOGINS = ("remembered", "login", "anonymous")
SOURCES = tuple(source for source in ENTRY_SOURCES if source != "share")  # who comes from a share follows a sharer


class World(Strict):
    """Everything that shapes a simulated feed besides its size, span and seed."""

    population: Population
    numbers: Numbers
    holdings: Holdings
    billing: Billing
    devices: Devices
    coupon_hunters: CouponHunters
    sharing: Sharing
    rhythm: Rhythm
    seasons: dict[str, Season]
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
    paid_statuses: Weights
    topup_amounts: tuple[int, ...] = Field(min_length=1)
    releases: tuple[Release, ...] = Field(min_length=1)
    products: tuple[Product, ...]
    placements: dict[str, Placement]
    campaigns: dict[str, Campaign] = Field(min_length=1)
    scripts: dict[str, Script] = Field(min_length=1)
    push: Step
    bot: Bot

    @model_validator(mode="after")
    def _names_exist(self) -> World:
        for place, name, allowed in self._references():
            if name not in allowed:
                names = sorted(allowed)
                raise ValueError(
                    f"{place}: unknown name {name!r}; allowed: {', '.join(allowed)}{suggestion(name, names)}"
                )
        sold = {product.business for product in self.products if not product.campaign_only}
        for name, script in self.scripts.items():
            about_product = any(step.about == "product" for step in script.steps)
            if about_product and not set(script.business) <= sold:
                raise ValueError(f"scripts.{name}: no product of business {sorted(set(script.business) - sold)[0]!r}")
        if not any(plan.weight for plan in self.plans):
            raise ValueError("products: no plan has a weight, so nobody could hold one")
        if not any(script.weight for script in self.scripts.values()):
            raise ValueError("scripts: none has a weight, so no visit could be of any kind")
        for name, campaign in self.campaigns.items():
            if not self.product(campaign.product).campaign_only:
                raise ValueError(f"campaigns.{name}: product {campaign.product!r} must be `campaign_only: true`")
        return self

    def _references(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Every name that must be known: its place in the file, the name, and the names that are allowed there."""
        closed = {
            "channels": CHANNELS,
            "sources": SOURCES,
            "logins": LOGINS,
            "offline_channels": ORDER_CHANNELS,
            "paid_statuses": ORDER_STATUSES,
        }
        for field, allowed in closed.items():
            yield from ((field, name, allowed) for name in getattr(self, field))
        products = tuple(product.product_id for product in self.products)
        scripts, placements = tuple(self.scripts), tuple(self.placements)
        yield "coupon_hunters.script", self.coupon_hunters.script, scripts
        for name, season in self.seasons.items():
            yield from ((f"seasons.{name}.scripts", script, scripts) for script in season.scripts)
        for name, placement in self.placements.items():
            yield from ((f"placements.{name}.attraction", product, products) for product in placement.attraction)
        for name, campaign in self.campaigns.items():
            yield f"campaigns.{name}.product", campaign.product, products
            yield f"campaigns.{name}.script", campaign.script, scripts
        for name, script in self.scripts.items():
            yield from ((f"scripts.{name}", step.placement, placements) for step in script.steps if step.placement)

    @property
    def plans(self) -> tuple[Product, ...]:
        """What a subscriber can hold."""
        return tuple(p for p in self.products if p.business == "plan" and not p.campaign_only)

    @property
    def operating_systems(self) -> tuple[str, ...]:
        return (*self.devices.phones, *self.devices.desktops)

    def product(self, product_id: str) -> Product:
        return next(product for product in self.products if product.product_id == product_id)

    @property
    def offers(self) -> tuple[tuple[str, Product | None], ...]:
        """What a visit can be about: each product, and each business that sells none, such as a top-up."""
        sold = {product.business for product in self.products}
        return (
            *((product.business, product) for product in self.products),
            *((business, None) for business in BUSINESSES if business not in sold),
        )

    @property
    def offered_products(self) -> list[str | None]:
        """Product of each offer."""
        return [product.product_id if product else None for _, product in self.offers]

    def offer_weights(self, script: Script) -> list[float]:
        """Weight of each offer in `script`: that of its business, shared equally by the offers of the business."""
        open_to_all = [None if product and product.campaign_only else business for business, product in self.offers]
        return [
            script.business.get(business, 0.0) / open_to_all.count(business) if business else 0.0
            for business in open_to_all
        ]


def load_world(path: Path = WORLD_FILE) -> World:
    """The world described in `path`. Raises ConfigError."""
    return parse(World, path, label="conf/simulation.yaml" if path == WORLD_FILE else None)
