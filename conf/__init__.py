"""Settings and catalogue. A package, so that it is installed and shipped with the code that reads it."""
