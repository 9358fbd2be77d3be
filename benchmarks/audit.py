"""How long an audit takes, and how much memory.

``python -m benchmarks.audit STIR_FILE [ROUNDS]``: a full-size STIR mnist set, 72,000 images of 64 x 64. Whole
processes are measured.
"""

from __future__ import annotations

import sys

from benchmarks.measure import in_turns, median_seconds, run

SECONDS_BOUND = 3.0
MEGABYTES_BOUND = 600.0


def main() -> None:
    """Measure and print time and memory beside their bounds."""
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    command = [sys.executable, "-m", "stirdata", "audit", sys.argv[1], "--quiet"]
    runs = in_turns(rounds, audit=lambda: run(command))["audit"]
    peak = max(one.megabytes for one in runs)
    print(
        f"audit: {median_seconds(runs):.2f} s (at most {SECONDS_BOUND} s), "
        f"{peak:.0f} MB (at most {MEGABYTES_BOUND:.0f} MB)"
    )


if __name__ == "__main__":
    main()
