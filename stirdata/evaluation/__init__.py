"""How a network does: at every scale, under shifts, inside. Each measure is a function with a plain result.

A model is a torch module or any callable that turns images (N, channels, height, width), float32 in [0, 1] or
normalised, into logits (N, classes). What is evaluated on is a dataset that stirdata loads, or tensors.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stirdata.evaluation.equivariance import EquivarianceError as EquivarianceError
    from stirdata.evaluation.equivariance import StirEquivarianceError as StirEquivarianceError
    from stirdata.evaluation.equivariance import equivariance_error as equivariance_error
    from stirdata.evaluation.equivariance import equivariance_error_stir as equivariance_error_stir
    from stirdata.evaluation.generalization import ScaleGeneralization as ScaleGeneralization
    from stirdata.evaluation.generalization import scale_generalization as scale_generalization
    from stirdata.evaluation.models import load_model as load_model
    from stirdata.evaluation.overall import Accuracy as Accuracy
    from stirdata.evaluation.overall import accuracy as accuracy
    from stirdata.evaluation.predictions import Predictions as Predictions
    from stirdata.evaluation.predictions import predict as predict
    from stirdata.evaluation.predictions import read_predictions as read_predictions
    from stirdata.evaluation.published import Baselines as Baselines
    from stirdata.evaluation.published import Comparison as Comparison
    from stirdata.evaluation.published import PublishedTable as PublishedTable
    from stirdata.evaluation.published import baselines as baselines
    from stirdata.evaluation.report import Report as Report
    from stirdata.evaluation.scale_index import ScaleIndexCorrelation as ScaleIndexCorrelation
    from stirdata.evaluation.scale_index import scale_index_correlation as scale_index_correlation
    from stirdata.evaluation.shifts import FlipRate as FlipRate
    from stirdata.evaluation.shifts import ShiftConsistency as ShiftConsistency
    from stirdata.evaluation.shifts import flip_rate as flip_rate
    from stirdata.evaluation.shifts import shift_consistency as shift_consistency
    from stirdata.evaluation.similarity import FeatureSimilarity as FeatureSimilarity
    from stirdata.evaluation.similarity import feature_similarity as feature_similarity

_HOME_OF_NAME = {
    "Accuracy": "stirdata.evaluation.overall",
    "accuracy": "stirdata.evaluation.overall",
    "Baselines": "stirdata.evaluation.published",
    "Comparison": "stirdata.evaluation.published",
    "PublishedTable": "stirdata.evaluation.published",
    "baselines": "stirdata.evaluation.published",
    "EquivarianceError": "stirdata.evaluation.equivariance",
    "StirEquivarianceError": "stirdata.evaluation.equivariance",
    "equivariance_error": "stirdata.evaluation.equivariance",
    "equivariance_error_stir": "stirdata.evaluation.equivariance",
    "ScaleGeneralization": "stirdata.evaluation.generalization",
    "scale_generalization": "stirdata.evaluation.generalization",
    "load_model": "stirdata.evaluation.models",
    "Predictions": "stirdata.evaluation.predictions",
    "predict": "stirdata.evaluation.predictions",
    "read_predictions": "stirdata.evaluation.predictions",
    "Report": "stirdata.evaluation.report",
    "ScaleIndexCorrelation": "stirdata.evaluation.scale_index",
    "scale_index_correlation": "stirdata.evaluation.scale_index",
    "FlipRate": "stirdata.evaluation.shifts",
    "ShiftConsistency": "stirdata.evaluation.shifts",
    "flip_rate": "stirdata.evaluation.shifts",
    "shift_consistency": "stirdata.evaluation.shifts",
    "FeatureSimilarity": "stirdata.evaluation.similarity",
    "feature_similarity": "stirdata.evaluation.similarity",
}

__all__ = [
    "Accuracy",
    "Baselines",
    "Comparison",
    "EquivarianceError",
    "FeatureSimilarity",
    "FlipRate",
    "Predictions",
    "PublishedTable",
    "Report",
    "ScaleGeneralization",
    "ScaleIndexCorrelation",
    "ShiftConsistency",
    "StirEquivarianceError",
    "accuracy",
    "baselines",
    "equivariance_error",
    "equivariance_error_stir",
    "feature_similarity",
    "flip_rate",
    "load_model",
    "predict",
    "read_predictions",
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
