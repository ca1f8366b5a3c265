"""`python -m visitgrain.cli`."""

from visitgrain.cli import main

main()
