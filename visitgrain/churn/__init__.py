"""Churn: who goes silent next month."""
