"""What the models of a service share: admission, threads, and the budget for bodies."""

import concurrent.futures
import os

from serving.admission import Resource
from serving.bodies import Bodies
from serving.settings import Settings


class Shared:
    """What the models of a service have in common."""

    def __init__(self, settings: Settings) -> None:
        """Make it for one process."""
        self.settings = settings
        self.loop, self.thread = Resource(settings), Resource(settings)
        self.bodies = Bodies(settings)
        self.explainer = concurrent.futures.ThreadPoolExecutor(1, "explain")
        """The one thread in which explanations are made."""
        self.cores = max(1, (os.cpu_count() or 1) // settings.workers)
        self.scorers = concurrent.futures.ThreadPoolExecutor(self.cores, "score")
        """The threads in which large tables are scored."""
