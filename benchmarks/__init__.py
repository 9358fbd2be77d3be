"""Committed benchmarks: each measures stirdata against a plain implementation in the same run."""
