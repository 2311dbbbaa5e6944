"""How long WOODELF takes: `python explain_woodelf.py FOLDER`, in an environment that has it.

The folder holds model.txt, of LightGBM, and rows.npy. Reading the model counts, as the making of tables does for us.
"""

import json
import sys
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from woodelf import WoodelfExplainer


def main(folder: Path) -> None:
    """Explain all rows, print the seconds, and end where they are not LightGBM's to six digits, which are its own."""
    booster = lgb.Booster(model_file=folder / "model.txt")
    matrix = np.load(folder / "rows.npy")
    frame = pd.DataFrame(matrix, columns=booster.feature_name())
    started = time.perf_counter()
    found = WoodelfExplainer(booster).shap_values(frame, verbose=False)
    seconds = time.perf_counter() - started
    expected = booster.predict(matrix[:100], pred_contrib=True)
    if np.abs(found[:100] - expected[:, :-1]).max() > 1e-4 * np.abs(expected).max():
        raise SystemExit("WOODELF's contributions are not LightGBM's")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
