"""`python -m jobflow`: the same command line as `jobflow`."""

from jobflow.cli.main import main

if __name__ == "__main__":
    main()
