"""Scores of visits and how well they predict."""
