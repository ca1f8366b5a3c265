"""Gamma-Gamma against the published fit of CDNOW and by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime

from visitgrain.value.gamma_gamma import GammaGamma, fit, log_likelihoods


def repeats(frame) -> tuple[np.ndarray, np.ndarray]:
    return frame["x"].to_numpy(), frame["mean_repeat_value"].fill_null(0).to_numpy()


def test_the_fit_of_the_sample(customers):
    """Published for the 946 customers with a repeat: p = 6.25, q = 3.74, v = 15.44."""
    model = fit(*repeats(customers["sample"]))
    assert (model.p, model.q, model.v) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert model.customers == 946
    assert model.log_likelihood == pytest.approx(-4055.92, abs=0.01)  # measured
    assert model.population_mean == pytest.approx(6.25 * 15.44 / 2.74, abs=0.1)


def test_the_unit_of_money_scales_v_only(customers):
    x, mean = repeats(customers["sample"])
    yuan, fen = fit(x, mean), fit(x, 100 * mean)
    assert (fen.p, fen.q, fen.v / 100) == pytest.approx((yuan.p, yuan.q, yuan.v), rel=1e-4)
    assert fen.log_likelihood == pytest.approx(yuan.log_likelihood - 946 * np.log(100), abs=1e-3)


def test_counted_customers_are_the_same_as_one_row_each(customers):
    counted = customers["sample"].group_by("x", "mean_repeat_value").len()
    again = fit(*repeats(counted), weights=counted["len"].to_numpy())
    assert again.to_dict() == pytest.approx(fit(*repeats(customers["sample"])).to_dict(), rel=1e-5)


def test_expected_values_by_hand():
    model = GammaGamma(p=2.0, q=3.0, v=10.0, log_likelihood=0.0, customers=0.0)
    x = [0, 0, 1, 8, 3]
    mean = [np.nan, 70.0, 40.0, 40.0, -5.0]
    assert model.expected_value(x, mean) == pytest.approx(
        [
            2 * 10 / (3 - 1),  # nothing known: that of everybody
            2 * 10 / (3 - 1),
            2 * (10 + 40) / (2 + 3 - 1),  # 25: half way from 10 to 40
            2 * (10 + 320) / (16 + 3 - 1),  # 36.7: nearer to the own mean
            2 * (10 + 0) / (6 + 3 - 1),  # returns: as if nothing had been spent
        ]
    )


def test_the_likelihood_is_a_density_with_these_slopes():
    at = np.array([2.0, 3.0, 10.0])

    def log_density(values: np.ndarray, mean: float) -> float:
        return log_likelihoods(*values, np.array([4.0]), np.array([mean]))[0][0]

    assert quad(lambda mean: np.exp(log_density(at, mean)), 0, np.inf)[0] == pytest.approx(1)
    slopes = [slope[0] for slope in log_likelihoods(*at, np.array([4.0]), np.array([25.0]))[1]]
    assert slopes == pytest.approx(approx_fprime(at, lambda values: log_density(values, 25.0), 1e-7), abs=1e-5)


def test_a_model_is_plain_numbers():
    model = GammaGamma(p=2.0, q=3.0, v=10.0, log_likelihood=-5.0, customers=7.0)
    assert GammaGamma.from_dict(json.loads(json.dumps(model.to_dict()))) == model


@pytest.mark.parametrize(("x", "mean"), [([], []), ([0, 0], [5, 6]), ([1, 2], [5, 5]), ([1, 2], [5, -1])], ids=str)
def test_what_cannot_be_fitted_is_refused(x, mean):
    with pytest.raises(ValueError, match="fewer than two different mean values"):
        fit(x, mean)
