"""Columnar data in the workers: what is computed, read and written there without becoming rows of the JVM."""
