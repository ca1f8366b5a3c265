"""A seeded world with planted truths, at any scale: the same rows for a seed, whatever the partitioning."""

from visitgrain.simulation.feed import simulate

__all__ = ["simulate"]
