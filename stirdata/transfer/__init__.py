"""Bringing files from the network, each byte proven."""
