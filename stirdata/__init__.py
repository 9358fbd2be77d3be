"""Make, check and load the benchmark data of scale in vision.

The public names are resolved on first use, so that ``import stirdata`` (and with it the command
line) loads neither NumPy nor h5py nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stirdata import evaluation as evaluation
    from stirdata.errors import StirdataError as StirdataError
    from stirdata.families import families as families
    from stirdata.families.mnist_scale.loader import MNISTScale as MNISTScale
    from stirdata.families.recognition import load as load
    from stirdata.families.stir import scenarios as scenarios
    from stirdata.families.stir.loader import STIRDataset as STIRDataset
    from stirdata.families.stl10.augment import STL10Augment as STL10Augment
    from stirdata.families.stl10.loader import STL10 as STL10
    from stirdata.loading.augment import ScaleAugment as ScaleAugment
    from stirdata.loading.batches import Batches as Batches
    from stirdata.loading.shifting import ShiftAugment as ShiftAugment
    from stirdata.operations.audit import audit as audit
    from stirdata.operations.export import export as export
    from stirdata.operations.generate import generate as generate

__version__ = "0.1.0"

_HOME_OF_NAME = {
    "Batches": "stirdata.loading.batches",
    "MNISTScale": "stirdata.families.mnist_scale.loader",
    "STIRDataset": "stirdata.families.stir.loader",
    "STL10": "stirdata.families.stl10.loader",
    "STL10Augment": "stirdata.families.stl10.augment",
    "ScaleAugment": "stirdata.loading.augment",
    "ShiftAugment": "stirdata.loading.shifting",
    "StirdataError": "stirdata.errors",
    "audit": "stirdata.operations.audit",
    "export": "stirdata.operations.export",
    "generate": "stirdata.operations.generate",
    "load": "stirdata.families.recognition",
}
_HOME_OF_MODULE = {
    "evaluation": "stirdata.evaluation",
    "families": "stirdata.families",
    "scenarios": "stirdata.families.stir.scenarios",
}

__all__ = [
    "STL10",
    "Batches",
    "MNISTScale",
    "STIRDataset",
    "STL10Augment",
    "ScaleAugment",
    "ShiftAugment",
    "StirdataError",
    "__version__",
    "audit",
    "evaluation",
    "export",
    "families",
    "generate",
    "load",
    "scenarios",
]


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
