"""Rows of a day -> mergeable measures per subscriber."""
