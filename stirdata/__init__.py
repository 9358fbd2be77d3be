"""Make, check and load the benchmark data of scale in vision.

The public names are resolved on first use, so that ``import stirdata`` (and with it the command
line) loads neither NumPy nor h5py nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stirdata.datasets import scenarios as scenarios
    from stirdata.datasets.augment import ScaleAugment as ScaleAugment
    from stirdata.datasets.mnist_scale import MNISTScale as MNISTScale
    from stirdata.datasets.stir import STIRDataset as STIRDataset
    from stirdata.errors import StirdataError as StirdataError

__version__ = "0.1.0"

_HOME_OF_NAME = {
    "MNISTScale": "stirdata.datasets.mnist_scale",
    "STIRDataset": "stirdata.datasets.stir",
    "ScaleAugment": "stirdata.datasets.augment",
    "StirdataError": "stirdata.errors",
}
_HOME_OF_MODULE = {"scenarios": "stirdata.datasets.scenarios"}

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
