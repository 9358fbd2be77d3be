"""``stirdata cache``: what is in the cache, whether it is right, and removing it."""

from __future__ import annotations

from .lazy import LazyGroup

command = LazyGroup(
    "cache",
    commands_in=__package__,
    lazy_commands={
        "list": ("cache_list", "Say what is in the cache, and how large it is."),
        "verify": ("cache_verify", "Prove every file in the cache."),
        "clean": ("cache_clean", "Remove files that can be brought again."),
    },
    help="Say, prove and remove what is in the cache.\n\n"
    "The cache is the folder named by STIRDATA_HOME, else one that the system has for it. Files that "
    "stirdata has not put there, and everything behind links, are never touched.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
