"""Pure functions on arrays: no files, no randomness, no state."""
