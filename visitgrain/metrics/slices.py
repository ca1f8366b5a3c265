"""What populations are told apart by: attributes of subscribers. Every subscriber has one value of each."""

from __future__ import annotations

ALL, UNKNOWN = "all", "unknown"
ATTRIBUTES = ("area", "age_band", "star_level", "plan", "consumption_segment", "behaviour_segment")
KEY = ("window", "window_end")
SLICE = ("slice", "slice_value")
CELL = (*KEY, *SLICE)  # of a population
