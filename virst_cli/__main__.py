"""`python -m virst_cli` is `virst`."""

from virst_cli.app import main

if __name__ == "__main__":
    main()
