"""MNIST-scale."""
