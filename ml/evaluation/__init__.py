"""How good a model is: answers to figures, curves and intervals."""

from ml.evaluation.confusion import AUTHORS, CROSS_VALIDATION, PARTICIPANTS, TEST, Answers, Evaluation, Score, evaluate

__all__ = ["AUTHORS", "CROSS_VALIDATION", "PARTICIPANTS", "TEST", "Answers", "Evaluation", "Score", "evaluate"]
