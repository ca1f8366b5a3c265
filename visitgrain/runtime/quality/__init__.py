"""The gate between writing and publishing: facts of the rows, verdicts on them, and what was found before."""
