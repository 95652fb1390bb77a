"""`python -m realism`: the same as the command `realism`."""

from realism.cli.main import main

if __name__ == "__main__":
    main()
