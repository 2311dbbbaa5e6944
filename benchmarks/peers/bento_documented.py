"""BentoML's batchable API as its documentation has it."""

import os

import bentoml
import lightgbm as lgb
import numpy as np


@bentoml.service
class Fare:
    """One booster."""

    def __init__(self) -> None:
        self.booster = lgb.Booster(model_file=os.environ["MODEL"])

    @bentoml.api(batchable=True)
    def predict(self, x: np.ndarray) -> np.ndarray:
        """Rows of the model matrix to numbers."""
        return np.asarray(self.booster.predict(x, num_threads=1))
