"""How a network does: at every scale, under shifts, inside. Each measure is a function with a plain result.

A model is a torch module or any callable that turns images (N, channels, height, width), float32 in [0, 1] or
normalised, into logits (N, classes). What is evaluated on is a dataset that stirdata loads, or tensors.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stirdata.evaluation.baselines import Baselines as Baselines
    from stirdata.evaluation.baselines import Comparison as Comparison
    from stirdata.evaluation.baselines import baselines as baselines
    from stirdata.evaluation.equivariance import EquivarianceError as EquivarianceError
    from stirdata.evaluation.equivariance import StirEquivarianceError as StirEquivarianceError
    from stirdata.evaluation.equivariance import equivariance_error as equivariance_error
    from stirdata.evaluation.equivariance import equivariance_error_stir as equivariance_error_stir
    from stirdata.evaluation.generalization import ScaleGeneralization as ScaleGeneralization
    from stirdata.evaluation.generalization import scale_generalization as scale_generalization
    from stirdata.evaluation.scale_index import ScaleIndexCorrelation as ScaleIndexCorrelation
    from stirdata.evaluation.scale_index import scale_index_correlation as scale_index_correlation
    from stirdata.evaluation.shifts import FlipRate as FlipRate
    from stirdata.evaluation.shifts import ShiftConsistency as ShiftConsistency
    from stirdata.evaluation.shifts import flip_rate as flip_rate
    from stirdata.evaluation.shifts import shift_consistency as shift_consistency
    from stirdata.evaluation.similarity import FeatureSimilarity as FeatureSimilarity
    from stirdata.evaluation.similarity import feature_similarity as feature_similarity

_HOME_OF_NAME = {
    "Baselines": "stirdata.evaluation.baselines",
    "Comparison": "stirdata.evaluation.baselines",
    "baselines": "stirdata.evaluation.baselines",
    "FeatureSimilarity": "stirdata.evaluation.similarity",
    "ScaleIndexCorrelation": "stirdata.evaluation.scale_index",
    "feature_similarity": "stirdata.evaluation.similarity",
    "scale_index_correlation": "stirdata.evaluation.scale_index",
    "EquivarianceError": "stirdata.evaluation.equivariance",
    "StirEquivarianceError": "stirdata.evaluation.equivariance",
    "equivariance_error": "stirdata.evaluation.equivariance",
    "equivariance_error_stir": "stirdata.evaluation.equivariance",
    "FlipRate": "stirdata.evaluation.shifts",
    "ScaleGeneralization": "stirdata.evaluation.generalization",
    "ShiftConsistency": "stirdata.evaluation.shifts",
    "flip_rate": "stirdata.evaluation.shifts",
    "scale_generalization": "stirdata.evaluation.generalization",
    "shift_consistency": "stirdata.evaluation.shifts",
}

__all__ = [
    "Baselines",
    "Comparison",
    "EquivarianceError",
    "FeatureSimilarity",
    "FlipRate",
    "ScaleGeneralization",
    "ScaleIndexCorrelation",
    "ShiftConsistency",
    "StirEquivarianceError",
    "baselines",
    "equivariance_error",
    "equivariance_error_stir",
    "feature_similarity",
    "flip_rate",
    "scale_generalization",
    "scale_index_correlation",
    "shift_consistency",
]


def __getattr__(name: str) -> Any:
    """Import the module that defines a public name when the name is first asked for."""
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module 'stirdata.evaluation' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF_NAME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
