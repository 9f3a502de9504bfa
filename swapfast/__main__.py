"""``python -m swapfast``: the command line."""

from swapfast.cli import main

if __name__ == "__main__":
    main()
