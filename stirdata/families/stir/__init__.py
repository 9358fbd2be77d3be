"""STIR."""
