"""The scripts of conf/simulation.yaml as arrays: one row per step, numbered across all kinds of visits."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from visitgrain.simulation.behaviour import Placement, Step
from visitgrain.simulation.columns import NONE, Columns
from visitgrain.simulation.world import World
from visitgrain.tables.vocabulary import EVENT_TYPES

PROCESS_TYPES = ("product_view", "form_step", "order_submit", "order_paid", "order_failed")
CRASH = Step(event="error", prop="kind", value="crash")
NOTHING, BUSINESS, PRODUCT = range(3)
ABOUT = ("nothing", "business", "product")
PROPS = ("prop", "position", "propensity")  # at most this many entries per event


@dataclass(frozen=True)
class Steps(Columns):
    """Steps of all kinds. Texts are places in `Kinds.texts`, or NONE."""

    event_type: np.ndarray
    page: np.ndarray
    touchpoint: np.ndarray
    about: np.ndarray
    in_process: np.ndarray
    step_no: np.ndarray
    points_low: np.ndarray
    points_high: np.ndarray
    prop: np.ndarray
    value_low: np.ndarray
    value_high: np.ndarray
    position_value: np.ndarray  # of the two further props of a slot
    propensity_value: np.ndarray
    position: np.ndarray  # within the visit
    beat: np.ndarray  # when within the visit, in paces of its script
    draw: np.ndarray
    low: np.ndarray
    high: np.ndarray
    is_gate: np.ndarray
    placement: np.ndarray
    slot: np.ndarray


class Kinds:
    """What visits can be: each script, a push receipt, a run of a bot; their steps as arrays.

    `texts` begins with the numbers 0, 1, … so that a drawn number is its own place.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.names = (*world.scripts, "push", "bot")
        self.push, self.bot = len(world.scripts), len(world.scripts) + 1  # kinds below are visits of a person
        scripts = tuple(world.scripts.values())
        self.pace_s = np.array([*(script.pace_s for script in scripts), 1.0, world.bot.pace_s])
        self.needs_login = np.array([*(script.needs_login for script in scripts), False, False])
        self.placements = tuple(world.placements.values())
        numbers = [n for script in scripts for step in script.steps if step.between for n in step.between]
        self.texts = [str(number) for number in range(max(numbers, default=0) + 1)]
        self._places = {text: place for place, text in enumerate(self.texts)}
        paths = [
            *(
                [*self._walked(script.steps), (CRASH, NONE, 0.0), (Step(event="logout"), NONE, 0.0)]
                for script in scripts
            ),
            [(world.push, NONE, 0.0)],
            [(_page_of_bot(world), NONE, 0.0)] * world.bot.pages,
        ]
        self.first_step = np.cumsum([0, *map(len, paths)])
        self.steps = _to_steps(row for path in paths for row in self._rows(path))

    def of(self, kind: int) -> slice:
        """The steps of one kind."""
        return slice(self.first_step[kind], self.first_step[kind + 1])

    @cached_property
    def login_position(self) -> np.ndarray:
        """Place of the login in each kind; behind the end where there is none."""
        is_login = self.steps.event_type == EVENT_TYPES.index("login")
        kinds = range(len(self.names))
        return np.array([np.append(np.flatnonzero(is_login[self.of(k)]), 10_000)[0] for k in kinds])

    @cached_property
    def slot_offers(self) -> list[np.ndarray]:
        """Offers of each placement, in the order in which they rotate."""
        offers = self.world.offered_products
        return [np.array([offers.index(name) for name in placed.attraction]) for placed in self.placements]

    def text(self, text: str | None) -> int:
        """Place of `text` in `texts`, appended when it is new; NONE for none."""
        if text is None:
            return NONE
        if text not in self._places:
            self._places[text] = len(self.texts)
            self.texts.append(text)
        return self._places[text]

    def _walked(self, steps: Iterable[Step]) -> Iterator[tuple[Step, int, float]]:
        """Steps with their slot and the part of a pace they come behind their beat; a placement is its slots."""
        for number, step in enumerate(steps):
            if step.placement is None:
                yield step, NONE, 0.0
                continue
            # All slots are seen at once, and clicked before the next beat, which may be as near as 0.2.
            slots = range(len(self.world.placements[step.placement].examination))
            shown = step.model_copy(update={"draw": step.draw or f"step {number}"})
            yield from ((shown, slot, 0.002 * slot) for slot in slots)
            yield from ((shown.model_copy(update={"event": "click"}), slot, 0.05 + 0.005 * slot) for slot in slots)

    def _rows(self, path: Iterable[tuple[Step, int, float]]) -> Iterator[tuple[float, ...]]:
        beat = -1
        for position, (step, slot, behind) in enumerate(path):
            beat += slot == NONE or (slot == 0 and step.event == "impression")
            yield (
                *self._detail(step, slot),
                position,
                beat + behind,
                *_chance(step, position),
                *self._place(step, slot),
            )

    def _detail(self, step: Step, slot: int) -> tuple[int, ...]:
        low, high = step.between or (self.text(step.value),) * 2
        touchpoint = f"{step.placement}_{slot + 1}" if step.placement else step.touchpoint
        position = propensity = NONE
        if step.placement:
            products = len(self.world.placements[step.placement].attraction)
            position, propensity = self.text(str(slot + 1)), self.text(f"{1 / products:.6g}")
        return (
            EVENT_TYPES.index(step.event),
            self.text(step.page),
            self.text(touchpoint),
            PRODUCT if step.placement else ABOUT.index(step.about),
            step.event in PROCESS_TYPES and step.about == "product",
            NONE if step.step_no is None else step.step_no,
            *(step.points or (0, NONE)),
            self.text(step.prop),
            low,
            high,
            position,
            propensity,
        )

    def _place(self, step: Step, slot: int) -> tuple[int, int]:
        return (list(self.world.placements).index(step.placement) if step.placement else NONE, slot)


def script_weights(world: World) -> np.ndarray:
    return np.array([script.weight for script in world.scripts.values()])


def click_chance(placement: Placement, slot: int) -> np.ndarray:
    """Probability of a click in `slot`, per product of the placement."""
    return placement.examination[slot] * np.array(list(placement.attraction.values()))


def _chance(step: Step, position: int) -> tuple[int, float, float, bool]:
    """Salt of the step's draw (its position, or the name that several steps share), bounds, whether it is a gate."""
    return (zlib.crc32(step.draw.encode()) if step.draw else position, *step.when, step.gate)


def _page_of_bot(world: World) -> Step:
    return Step(event="page_view", page="offers", prop="user_agent", value=world.bot.user_agent)


def _to_steps(rows: Iterable[tuple[float, ...]]) -> Steps:
    return Steps(*(np.array(column) for column in zip(*rows, strict=True)))
