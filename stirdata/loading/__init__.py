"""What all loaders share: selections, tensors, batches, views, augmentation, devices."""
