"""One module per verb, each written once for all families."""
