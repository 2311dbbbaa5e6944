"""FastAPI as a careful engineer writes it: the booster called directly, one thread, uvloop and httptools."""

import os

import lightgbm as lgb
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

BOOSTER = lgb.Booster(model_file=os.environ["MODEL"])
app = FastAPI()


class Row(BaseModel):
    """A row of the model matrix."""

    x: list[float]


@app.post("/predict")
async def predict(row: Row) -> dict[str, float]:
    """One row, one number."""
    return {"price": float(BOOSTER.predict(np.array([row.x]), num_threads=1)[0])}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Ready."""
    return {}
