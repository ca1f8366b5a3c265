"""Chance without state: every draw is a hash of what it is about, so neither order nor company changes it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from visitgrain.arrow.hashing import STEP, mix

DOUBLE = 2.0**-53  # the upper 53 bits of a draw make a uniform double


def keys_of(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Keys of things that are numbered, such as subscribers: where their draws start from."""
    return mix(mix(numbers.astype(np.uint64) * STEP) + _salt(f"seed {seed}"))


def draw(keys: np.ndarray, name: str, counter: np.ndarray | int | None = None) -> np.ndarray:
    """64 random bits per key; another `name` or `counter` is another draw. Broadcasts `counter` against `keys`."""
    bits = mix(keys + _salt(name))
    if counter is None:
        return bits
    return mix(bits ^ (np.atleast_1d(counter).astype(np.uint64) + np.uint64(1)) * STEP)


def uniform(keys: np.ndarray, name: str, counter: np.ndarray | int | None = None) -> np.ndarray:
    """Uniform double on [0, 1)."""
    return (draw(keys, name, counter) >> np.uint64(11)) * DOUBLE


def happens(keys: np.ndarray, name: str, share: np.ndarray | float) -> np.ndarray:
    """Whether something of probability `share` happens."""
    return uniform(keys, name) < share


def normal(keys: np.ndarray, name: str) -> np.ndarray:
    """Standard normal (Box and Muller 1958, on two draws)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(keys, name, 0)))
    return radius * np.cos(2 * np.pi * uniform(keys, name, 1))


def between(draws: np.ndarray, low: np.ndarray | int, high: np.ndarray | int) -> np.ndarray:
    """A uniform draw as an integer from `low` to `high`, both included."""
    return low + (draws * (high - low + 1)).astype(np.int64)


def choose(draws: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """Position of the option whose share of the unit interval holds the draw."""
    reached = np.cumsum(np.asarray(weights, float))
    return np.searchsorted(reached[:-1] / reached[-1], draws, side="right")


def choose_code(draws: np.ndarray, weights: Mapping[str, float], codes: Sequence[str]) -> np.ndarray:
    """Place in `codes` of the option drawn from `weights`."""
    places = np.array([codes.index(name) for name in weights])
    return places[choose(draws, list(weights.values()))]


def poisson(draws: np.ndarray, rate: np.ndarray | float, *, most: int) -> np.ndarray:
    """Poisson count by inversion, cut at `most`."""
    term = total = np.exp(-np.asarray(rate, float))
    count = np.zeros(np.broadcast(draws, total).shape, np.int64)
    for k in range(1, most + 1):
        count += draws >= total
        term = term * rate / k
        total = total + term
    return count


@cache
def _salt(name: str) -> np.uint64:
    return mix(np.array([zlib.crc32(name.encode())], np.uint64) * STEP)[0]
