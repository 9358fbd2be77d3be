"""``stirdata generate``: make a dataset from its published recipe."""

from __future__ import annotations

from .lazy import LazyGroup

command = LazyGroup(
    "generate",
    commands_in=__package__,
    lazy_commands={
        "mnist-scale": ("generate_mnist_scale", "MNIST rescaled by random factors (SESN, ICLR 2020)."),
        "stir": ("generate_stir", "Objects at 48 scales and random places (STIR, IJCNN 2023)."),
    },
    help="Make a dataset from its published recipe.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
