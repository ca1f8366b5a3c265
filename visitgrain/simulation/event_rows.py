"""The delivered events as the rows of a feed, and who and what they really are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from visitgrain.simulation.chance import between, draw, uniform
from visitgrain.simulation.columns import NONE, coded, conformed, dates, hex_of, hex_taken, instants, nullable
from visitgrain.simulation.days import SECOND, monthly_ids
from visitgrain.simulation.delivery import CONFLICTING, DEFECTS, GOOD, LABELS, MALFORMED
from visitgrain.simulation.props import to_props
from visitgrain.simulation.scripts import NOTHING, PRODUCT
from visitgrain.simulation.told import Told
from visitgrain.simulation.visits import APP, CAMPAIGN_SOURCES
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, ENTRY_SOURCES, EVENT_TYPES

SEQ_PER_VISIT = 1_000  # the device's counter: second at which the visit starts, place within the visit
PUSH, SHARE = ENTRY_SOURCES.index("push"), ENTRY_SOURCES.index("share")
LAUNCH = EVENT_TYPES.index("launch")
ORDERED = tuple(EVENT_TYPES.index(name) for name in ("order_submit", "order_paid"))
STAYS = tuple(EVENT_TYPES.index(name) for name in ("page_view", "product_view"))
TOPUP = EVENT_TYPES.index("topup")


def to_event_rows(told: Told) -> pa.Table:
    """`events`: one row per delivered row, those of broken rows with the nonsense they carry."""
    columns = {**_subject(told), **_what(told), **_amounts(told), **_context(told), "props": to_props(told)}
    return conformed(_with_defects(columns, told.rows.label), EVENTS)


def to_true_events(told: Told) -> pa.Table:
    """Truth: each delivered row that does not simply say who it was, or is not simply good."""
    visit, label = told.visit, told.rows.label
    borrowed, kiosk, number = (getattr(told.visits, name)[visit] for name in ("borrowed", "at_kiosk", "number_only"))
    rows = np.flatnonzero(told.is_anonymous | borrowed | kiosk | number | (label != GOOD))
    columns = {
        "event_id": hex_of(told.rows.key[rows]),
        "received_time": instants(told.rows.received_us[rows]),
        "day": dates(told.rows.day[rows]),
        "true_subscriber_id": told.people.subscriber_id[told.who[rows]],
        "is_anonymous": told.is_anonymous[rows],
        "is_borrowed": borrowed[rows],
        "is_kiosk": kiosk[rows],
        "is_number_only": (number & ~told.is_anonymous)[rows],
        "is_bot": (told.visits.kind[visit] == told.kinds.bot)[rows],
        "label": coded(label[rows], LABELS),
    }
    return pa.table(columns)


def _subject(told: Told) -> dict[str, pa.Array | np.ndarray]:
    """Who and when."""
    visit, steps = told.visit, told.kinds.steps
    people, who = told.people, told.who
    known = np.where(told.visits.number_only[visit], people.number_id[who], people.subscriber_id[who])
    seq = told.visits.start_us[visit] // SECOND * SEQ_PER_VISIT + steps.position[told.step]
    return {
        "event_id": hex_of(told.rows.key),
        "subscriber_id": nullable(known, ~told.is_anonymous),
        "device_id": hex_taken(told.visits.device, visit),
        "channel": coded(told.visits.channel[visit], (*CHANNELS, "ap")),
        "event_time": instants(told.events.event_us[told.rows.event]),
        "received_time": instants(told.rows.received_us),
        "seq": seq,
    }


def _what(told: Told) -> dict[str, pa.Array]:
    """What happened, where, and what about."""
    steps, step, offers = told.kinds.steps, told.step, told.kinds.world.offers
    about, offer = steps.about[step], told.events.offer[told.rows.event]
    business = np.array([BUSINESSES.index(business) for business, _ in offers])[offer]
    product = np.array([NONE if product is None else n for n, (_, product) in enumerate(offers)])[offer]
    in_process = pa.array(np.where(steps.in_process[step], told.visit, NONE), mask=~steps.in_process[step])
    return {
        "event_type": coded(_event_type(told), (*EVENT_TYPES, "unknown")),
        "page": _of_step(steps.page, told),
        "touchpoint_id": _of_step(steps.touchpoint, told),
        "business": coded(np.where(about == NOTHING, NONE, business), (*BUSINESSES, "brodband")),
        "product_id": coded(np.where(about == PRODUCT, product, NONE), told.kinds.world.offered_products),
        "process_id": hex_of(draw(told.visits.key, "process")).take(in_process),
        "step_no": nullable(steps.step_no[step], steps.step_no[step] != NONE),
    }


def _event_type(told: Told) -> np.ndarray:
    """Only the app is launched; a visit after a push or from a shared link begins with that."""
    type_, in_app = told.kinds.steps.event_type[told.step], told.visits.channel[told.visit] == APP
    openings = [(told.source == PUSH) & in_app, told.source == SHARE, ~in_app]
    names = ("push_open", "share_visit", "page_view")
    opening = np.select(openings, [EVENT_TYPES.index(name) for name in names], LAUNCH)
    return np.where(type_ == LAUNCH, opening, type_)


def _amounts(told: Told) -> dict[str, pa.Array]:
    steps, step, world = told.kinds.steps, told.step, told.kinds.world
    type_ = steps.event_type[step]
    prices = np.array([product.price_fen if product else 0 for _, product in world.offers])
    amounts = np.array(world.topup_amounts)
    topup = amounts[between(uniform(told.visits.key, "topup"), 0, len(amounts) - 1)][told.visit]
    ordered = np.isin(type_, ORDERED)
    low, high = steps.points_low[step], steps.points_high[step]
    conflicts, stays = told.rows.label == CONFLICTING, np.isin(type_, STAYS)
    stay = np.where(stays, between(uniform(told.key, "stay"), 800, 60_000), 0)
    return {
        "amount_fen": nullable(
            np.where(ordered, prices[told.events.offer[told.rows.event]], topup), ordered | (type_ == TOPUP)
        ),
        "points": nullable(between(uniform(told.key, "points"), low, high), low <= high),
        # One more millisecond: the smallest payload that contradicts.
        "duration_ms": nullable(stay + conflicts, stays | conflicts),
    }


def _context(told: Told) -> dict[str, pa.Array]:
    visit, world = told.visit, told.kinds.world
    return {
        "campaign_id": _campaign_id(told),
        "source_channel": coded(told.source, ENTRY_SOURCES),
        "app_version": coded(told.visits.version[visit], [release.version for release in world.releases]),
        "os": coded(told.visits.os[visit], world.operating_systems),
        "area_code": coded(told.people.area_no[told.who], world.population.areas),
    }


def _campaign_id(told: Told) -> pa.DictionaryArray:
    """Of the campaign that led here or was received, or of the month's ordinary messages of the source."""
    campaign, source, campaigns = told.visits.campaign[told.visit], told.source, told.kinds.world.campaigns
    from_message = np.isin(source, CAMPAIGN_SOURCES)
    received = told.opens & (told.visits.kind[told.visit] == told.kinds.push)
    named = (campaign != NONE) & (from_message | received)
    ordinary = np.where(from_message, len(campaigns) + source, NONE)
    return coded(np.where(named, campaign, ordinary), monthly_ids((*campaigns, *ENTRY_SOURCES), told.month))


def _of_step(codes: np.ndarray, told: Told) -> pa.DictionaryArray:
    """A text that each step has; the dictionary holds those of the steps alone."""
    used, places = np.unique(codes, return_inverse=True)
    places = np.where(codes == NONE, NONE, places)
    return coded(places[told.step], [None if place == NONE else told.kinds.texts[place] for place in used])


def _with_defects(columns: dict[str, pa.Array | np.ndarray], label: np.ndarray) -> dict[str, pa.Array | np.ndarray]:
    """The columns with the nonsense of malformed rows in them."""
    for number, (column, nonsense) in enumerate(DEFECTS.values(), start=MALFORMED):
        rows = label == number
        if rows.any():
            columns[column] = _spoiled(columns[column], rows, nonsense)
    return columns


def _spoiled(column: pa.Array, rows: np.ndarray, nonsense: str | int | None) -> pa.Array:
    if isinstance(column, pa.DictionaryArray):
        place = None if nonsense is None else column.dictionary.index(nonsense).as_py()
        codes = pa.compute.if_else(pa.array(rows), pa.scalar(place, column.indices.type), column.indices)
        return pa.DictionaryArray.from_arrays(codes, column.dictionary)
    return pa.compute.if_else(pa.array(rows), pa.scalar(nonsense, pa.int64()).cast(column.type), column)
