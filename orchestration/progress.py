"""What a run says while it works, handed to whoever waits for it instead of Dagster's own console log."""

from __future__ import annotations

import logging
from collections.abc import Callable

import dagster as dg

Progress = Callable[[str], None]


def spoken_to(progress: Progress) -> dg.LoggerDefinition:
    """Return the console logger of a run: what assets say at level INFO goes to `progress`, the rest is kept in Dagster's log.

    Parameters
    ----------
    progress : callable
        Takes a line of text.
    """

    @dg.logger({}, description="Lines that assets say, as they are.")
    def console(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("kinelake", level=logging.INFO)
        logger.addHandler(_Handler(progress))
        return logger

    return console


class _Handler(logging.Handler):
    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on what an asset said itself; Dagster's events about steps carry one of their own."""
        said = getattr(record, "dagster_meta", {})
        if said.get("dagster_event") is None and record.levelno == logging.INFO:
            self._progress(f"  {said.get('orig_message', record.getMessage())}")
