"""python booster_alone.py MODEL MATRIX.npy SECONDS: rows a second that LightGBM alone explains in one thread."""

import sys
import time

import lightgbm as lgb
import numpy as np

booster = lgb.Booster(model_file=sys.argv[1])
matrix = np.load(sys.argv[2])
booster.predict(matrix, pred_contrib=True, num_threads=1)
calls, started, seconds = 0, time.perf_counter(), float(sys.argv[3])
while time.perf_counter() - started < seconds:
    booster.predict(matrix, pred_contrib=True, num_threads=1)
    calls += 1
print(calls * len(matrix) / (time.perf_counter() - started))
