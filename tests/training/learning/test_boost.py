import pytest

from training.learning.boost import demand_known


@pytest.mark.parametrize(
    ("booster", "says"),
    [
        ({"min_data_in_leef": 20}, "LightGBM has no parameter 'min_data_in_leef'; did you mean 'min_data_in_leaf'"),
        ({"Learning_Rate": 0.1}, "did you mean 'learning_rate'"),
        ({"zzz": 1}, "LightGBM has no parameter 'zzz'$"),
        ({"num_leaves": 31, "max_leaf": 15}, "'num_leaves' and 'max_leaf' are the same parameter"),
        ({"num_rounds": 100}, "'num_rounds' is said by `rounds`"),
        ({"random_state": 1}, "'random_state' is said by `seed`"),
        ({"early_stopping_rounds": 1}, "is said by `stop_after`"),
    ],
)
def test_parameters_that_lightgbm_would_ignore_are_refused(booster: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        demand_known(booster)


def test_lightgbms_own_names_and_their_others_are_taken() -> None:
    demand_known({"num_leaves": 31, "eta": 0.1, "min_child_samples": 5, "bagging_fraction": 0.5, "device_type": "cpu"})
