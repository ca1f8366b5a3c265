"""One module per Spark job; the file is named as its `JOB`."""
