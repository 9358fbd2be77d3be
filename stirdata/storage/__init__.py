"""Datasets on disk: HDF5, npz and PNG trees, always the same bytes for the same arrays."""
