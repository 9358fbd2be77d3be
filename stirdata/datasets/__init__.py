"""Datasets for training code: arrays and tensors from files."""
