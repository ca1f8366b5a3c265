"""Events -> visits. `cutting` and `measuring` are array code, `device_visits` and `history` bring them to Spark."""
