"""Make, check and load the benchmark data of scale in vision.

The public names are resolved on first use, so that ``import stirdata`` (and with it the command
line) loads neither NumPy nor h5py nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stirdata.errors import StirdataError as StirdataError
    from stirdata.families.mnist_scale.loader import MNISTScale as MNISTScale
    from stirdata.families.stir import scenarios
    from stirdata.families.stir.loader import STIRDataset as STIRDataset
    from stirdata.loading.augment import ScaleAugment as ScaleAugment

__version__ = "0.1.0"

_HOME_OF_NAME = {
    "MNISTScale": "stirdata.families.mnist_scale.loader",
    "STIRDataset": "stirdata.families.stir.loader",
    "ScaleAugment": "stirdata.loading.augment",
    "StirdataError": "stirdata.errors",
}
_HOME_OF_MODULE = {"scenarios": "stirdata.families.stir.scenarios"}

__all__ = ["MNISTScale", "STIRDataset", "ScaleAugment", "StirdataError", "__version__", "scenarios"]


def __getattr__(name: str) -> Any:
    """Import the module that is or defines a public name when the name is first asked for."""
    if name in _HOME_OF_MODULE:
        value: Any = import_module(_HOME_OF_MODULE[name])
    elif name in _HOME_OF_NAME:
        value = getattr(import_module(_HOME_OF_NAME[name]), name)
    else:
        raise AttributeError(f"module 'stirdata' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
