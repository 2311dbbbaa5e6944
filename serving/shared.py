"""What the models of a service share: admission, threads, the budget for bodies, and the journal."""

import concurrent.futures
import os

from serving.admission import Resource
from serving.bodies import Bodies
from serving.journal import Journal
from serving.settings import Settings


class Shared:
    """What the models of a service have in common."""

    def __init__(self, settings: Settings) -> None:
        """Make it for one process."""
        self.settings = settings
        self.loop, self.thread = Resource(settings), Resource(settings)
        self.bodies = Bodies(settings)
        self.journal: Journal | None = None
        """Records answered rows, from when the service listens."""
        self.explainer = concurrent.futures.ThreadPoolExecutor(1, "explain")
        """The one thread in which explanations are made."""
        self.bulk = concurrent.futures.ThreadPoolExecutor(1, "bulk")
        """The one thread in which many rows are explained at once: it works longer at a time than a turn takes."""
        self.scorers = concurrent.futures.ThreadPoolExecutor(max(1, _cores() // settings.workers), "score")
        """The threads in which large tables are scored."""


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
