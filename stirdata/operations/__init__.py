"""One module per verb, each written once for all families."""

LEVELS = ("imbalance", "blank", "leak")
"""Kinds of findings of an audit, the worst last: uneven counts, images that are none, leaks between splits.

They are here, where nothing heavy is imported, because the help lists them.
"""
