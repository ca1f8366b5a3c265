"""The `props` of events: a map per row, built from columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from visitgrain.simulation.chance import between, uniform
from visitgrain.simulation.columns import NONE
from visitgrain.simulation.told import Told

FURTHER = ("sharer_id", "position", "propensity")


def to_props(told: Told) -> pa.MapArray:
    """One map per delivered row, null where it would be empty: the prop of the step, who shared, place in a list."""
    steps, step, texts = told.kinds.steps, told.step, told.kinds.texts
    value = between(uniform(told.key, "prop"), steps.value_low[step], steps.value_high[step])
    sharer = np.where(told.opens, told.visits.sharer[told.visit], NONE)
    named, sharer_no = np.unique(sharer, return_inverse=True)
    values = np.column_stack(
        [
            np.where(steps.prop[step] == NONE, NONE, value),
            np.where(sharer == NONE, NONE, len(texts) + sharer_no),
            steps.position_value[step],
            steps.propensity_value[step],
        ]
    )
    keys = np.column_stack([steps.prop[step], *(np.full(len(step), len(texts) + n) for n in range(len(FURTHER)))])
    there = values != NONE
    counts = there.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    sharers = [str(told.people.subscriber_id[row]) if row != NONE else None for row in named]
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32(), mask=np.append(counts == 0, False)),
        pa.array([*texts, *FURTHER]).take(pa.array(keys[there])),
        pa.array([*texts, *sharers]).take(pa.array(values[there])),
    )
