"""The scripts of conf/simulation.yaml as two small tables: kinds of visits, and their steps."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from pyspark.sql import DataFrame, SparkSession

from visitgrain.simulation.world import Script, Step, World

PROCESS_TYPES = ("product_view", "form_step", "order_submit", "order_paid", "order_failed")
NO_LOGIN = 9999  # login position of kinds that never log in

_KINDS = (
    "kind string, pace_s double, needs_login boolean, login_position int, "
    "gates array<struct<position:int,draw:bigint,low:double,high:double>>"
)
_STEPS = (
    "kind string, position int, step int, event_type string, page string, touchpoint_id string, about string, "
    "in_process boolean, step_no int, points_low int, points_high int, prop string, prop_value string, "
    "prop_low int, prop_high int, draw bigint, low double, high double"
)


def kinds_table(spark: SparkSession, world: World) -> DataFrame:
    """One row per kind: pace, place of the login, and the gates that can end the visit."""
    rows = []
    for kind, pace_s, needs_login, steps in _kinds(world):
        gates = [(n, _draw(step, n), *step.when) for n, step in enumerate(steps) if step.gate]
        login = next((n for n, step in enumerate(steps) if step.event == "login"), NO_LOGIN)
        rows.append((kind, pace_s, needs_login, login, gates))
    return spark.createDataFrame(rows, _KINDS)


def steps_table(spark: SparkSession, world: World) -> DataFrame:
    """One row per kind and position; `step` numbers them all."""
    rows = [(kind, position, step) for kind, _, _, steps in _kinds(world) for position, step in enumerate(steps)]
    return spark.createDataFrame([_row(*row, number) for number, row in enumerate(rows)], _STEPS)


def _kinds(world: World) -> Iterator[tuple[str, float, bool, tuple[Step, ...]]]:
    for name, script in world.scripts.items():
        yield name, script.pace_s, script.needs_login, _with_logout(script)
    yield "push", 1.0, False, (world.push,)
    yield "bot", world.bot.pace_s, False, _bot_steps(world)


def _with_logout(script: Script) -> tuple[Step, ...]:
    return (*script.steps, Step(event="logout"))


def _bot_steps(world: World) -> tuple[Step, ...]:
    page = Step(event="page_view", page="offers", prop="user_agent", value=world.bot.user_agent)
    return (page,) * world.bot.pages


def _draw(step: Step, position: int) -> int:
    """Salt of the step's draw: its position, or the name that several steps share."""
    return zlib.crc32(step.draw.encode()) if step.draw else position


def _row(kind: str, position: int, step: Step, number: int) -> tuple[object, ...]:
    return (
        kind,
        position,
        number,
        step.event,
        step.page,
        step.touchpoint,
        step.about,
        step.event in PROCESS_TYPES and step.about == "product",
        step.step_no,
        *(step.points or (None, None)),
        step.prop,
        step.value,
        *(step.between or (None, None)),
        _draw(step, position),
        *step.when,
    )
