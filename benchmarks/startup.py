"""How long ``stirdata --help`` takes, against a Python that only imports click, in one run.

``python -m benchmarks.startup [ROUNDS]``
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measure import in_turns, median_seconds, run

BOUND = 2.5


def main() -> None:
    """Measure and print the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    command = str(Path(sys.executable).with_name("stirdata"))
    runs = in_turns(
        rounds,
        click=lambda: run([sys.executable, "-c", "import click"]),
        help=lambda: run([command, "--help"]),
    )
    click, ours = median_seconds(runs["click"]), median_seconds(runs["help"])
    print(f"import click: {click * 1000:.0f} ms; stirdata --help: {ours * 1000:.0f} ms")
    print(f"ratio {ours / click:.2f}, at most {BOUND}")


if __name__ == "__main__":
    main()
