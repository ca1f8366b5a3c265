"""Events -> visits. `cutting` and `measuring` are pure array code, `stages` brings them to Spark."""
