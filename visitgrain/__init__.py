"""visitgrain: behaviour analytics for a mobile operator's e-channel, on Spark and Delta."""

__version__ = "0.1.0"
