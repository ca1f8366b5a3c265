"""What spark-submit.sh hands to spark-submit: the same command line as the console script."""

from visitgrain.cli import main

if __name__ == "__main__":
    main()
