"""What records of Zenodo say, and the lock file that keeps it."""
