"""``stirdata generate stir``: the STIR sets, and sets of your own in their format."""

from __future__ import annotations

from .lazy import LazyGroup

command = LazyGroup(
    "stir",
    commands_in=__package__,
    lazy_commands={
        "mnist": ("generate_stir_mnist", "Handwritten digits, 10 classes of 50 instances."),
        "emoji": ("generate_stir_emoji", "Faces of Font Awesome, 36 classes of one instance."),
        "trafficsign": ("generate_stir_trafficsign", "Signs from photographs of streets (Mapillary)."),
        "aerial": ("generate_stir_aerial", "Objects from aerial photographs (DOTA)."),
        "custom": ("generate_stir_custom", "Your own pictures, one folder per class."),
    },
    help="Make a STIR set: every object at scales 64 to 17, at random places on a 64 x 64 canvas.\n\n"
    "Written are an npz file, its manifest with the hash of everything, and SHA256SUMS.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
