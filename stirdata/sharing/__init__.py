"""Datasets as other tools read them, and pages that say what they are."""
