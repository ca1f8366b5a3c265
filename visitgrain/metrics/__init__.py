"""The 157 metrics: windows of days, formulas as columns, values of subscribers and of populations."""
