"""Why a model answers as it does: which channels count over all examples, and which moments of one example."""

from ml.explanation.channels import ChannelImportance, channel_importance
from ml.explanation.saliency import Saliency, salient

__all__ = ["ChannelImportance", "Saliency", "channel_importance", "salient"]
