"""``python -m stirdata``: the command line, where its script is not on the path."""

from stirdata.cli import main  # type: ignore[import-not-found]  # which the checkout has as cli/

if __name__ == "__main__":
    main()
