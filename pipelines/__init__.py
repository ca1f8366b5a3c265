"""One module per pipeline: `PIPELINE`, an ordered tuple of jobs."""
