"""BG/NBD against the published fit, against a quadrature of the model itself, and where numbers get extreme."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import betaincinv

from visitgrain.value.bgnbd import BgNbd, fit, log_likelihoods

WEEKS = 39
NAMES = ("x", "t_x", "T")
NODES, WEIGHTS = np.polynomial.legendre.leggauss(500)


def history(frame) -> list[np.ndarray]:
    return [frame[name].to_numpy().astype(float) for name in NAMES]


@pytest.fixture(scope="module")
def models(customers) -> dict[str, BgNbd]:
    return {name: fit(*history(frame)) for name, frame in customers.items()}


def parameters(model: BgNbd) -> tuple[float, ...]:
    return model.r, model.alpha, model.a, model.b


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    """Chance that one with the truth has the greater score than one without, ties as half."""
    values, place = np.unique(score, return_inverse=True)
    yes, no = (np.bincount(place, weights=part, minlength=len(values)) for part in (truth, ~truth))
    return float(yes @ (np.cumsum(no) - no / 2) / (yes.sum() * no.sum()))


@pytest.mark.parametrize(
    ("name", "expected", "log_likelihood"),
    [
        # The sample as published by Fader, Hardie & Lee (2005): .243, 4.414, .793, 2.426, -9582.4.
        ("sample", (0.2426, 4.4136, 0.7929, 2.4259), -9582.4),
        ("all", (0.2516, 4.7888, 0.7232, 2.1605), -95368.4),
    ],
)
def test_the_fit_of_cdnow(models, name, expected, log_likelihood):
    assert parameters(models[name]) == pytest.approx(expected, rel=1e-3)
    assert models[name].log_likelihood == pytest.approx(log_likelihood, abs=0.1)


@pytest.mark.parametrize(
    ("name", "total", "mae", "rmse", "correlation", "auc_expected", "auc_alive"),
    [
        ("sample", 1_653, 0.7855, 1.6080, 0.6256, 0.7725, 0.3158),
        ("all", 16_875, 0.8187, 1.7329, 0.6688, 0.7630, 0.3195),
    ],
)
def test_the_39_weeks_after(customers, models, name, total, mae, rmse, correlation, auc_expected, auc_alive):
    known, later = history(customers[name]), customers[name]["later"].to_numpy()
    expected, alive = models[name].expected(WEEKS, *known), models[name].alive(*known)
    assert expected.sum() == pytest.approx(total, abs=2)
    assert abs(expected.sum() / later.sum() - 1) < (0.122 if name == "sample" else 0.143)
    assert np.abs(expected - later).mean() == pytest.approx(mae, abs=1e-3)
    assert np.sqrt(np.mean((expected - later) ** 2)) == pytest.approx(rmse, abs=1e-3)
    assert np.corrcoef(expected, later)[0, 1] == pytest.approx(correlation, abs=1e-3)
    assert auc(later == 0, -expected) == pytest.approx(auc_expected, abs=1e-4)
    assert auc(later == 0, 1 - alive) == pytest.approx(auc_alive, abs=1e-4)  # backwards: never rank by it


def test_counted_histories_are_the_same_as_one_row_each(models, customers):
    counted = customers["sample"].group_by(*NAMES).len()
    assert counted.height < 2_357
    again = fit(*history(counted), weights=counted["len"].to_numpy())
    assert again.to_dict() == pytest.approx(models["sample"].to_dict())


def by_quadrature(model: BgNbd, t: float, x: float, T: float) -> float:
    """Expected purchases of one who is alive: mean of (1 - exp(-rate t p)) / p over the posterior of rate and p."""
    p = np.maximum(betaincinv(model.a, model.b + x, (NODES + 1) / 2), 1e-12)
    given = -np.expm1(-(model.r + x) * np.log1p(p * t / (model.alpha + T))) / p
    return WEIGHTS @ given / 2


MODELS = {
    "as of cdnow": (0.2426, 4.4136, 0.7929, 2.4259),
    "a over 1": (2.0, 6.0, 1.7, 3.0),
    "a is 1": (0.5, 5.0, 1.0, 2.5),
    "a + b is 1": (0.5, 5.0, 0.4, 0.6),
    "a + b under 1": (0.5, 5.0, 0.2, 0.3),
    "hardly anybody leaves": (1.2, 2.0, 0.02, 8.0),
    "b at its bound": (0.5, 0.4, 4.9, 2981.0),
    "a just too big for the closed form": (0.5, 0.4, 5.0, 307.0),
    "all leave alike": (0.47, 0.4, 1541.0, 2981.0),
    "all leave at once": (0.5, 0.4, 2981.0, 0.01),
}


@pytest.mark.parametrize("name", MODELS)
def test_expected_purchases_are_those_of_the_model(name):
    model = BgNbd(*MODELS[name], log_likelihood=0.0, customers=0.0)
    for x, T, t in product((0, 1, 40, 5_000), (0.0, 30.0, 700.0), (0.01, 13.0, 500.0)):
        last = T if x else 0.0
        found = model.expected(t, x, last, T) / model.alive(x, last, T)
        assert found == pytest.approx(by_quadrature(model, t, x, T), rel=5e-5), (x, T, t)


@pytest.mark.parametrize("name", MODELS)
def test_extreme_histories_have_finite_answers(name):
    model = BgNbd(*MODELS[name], log_likelihood=0.0, customers=0.0)
    x = np.array([0, 0, 1, 5_000, 5_000, 5_000, 100_000])
    t_x = np.array([0, 0, 0, 0, 350, 700, 699])
    T = np.array([0, 700, 700, 700, 700, 700, 700])
    alive, expected = model.alive(x, t_x, T), model.expected(WEEKS, x, t_x, T)
    assert np.isfinite(expected).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    assert (alive[:2] == 1).all()
    assert alive[3] == pytest.approx(0)  # 5,000 purchases, then 700 silent weeks
    assert alive[5] > 0.6
    assert (np.diff(expected[3:6]) >= 0).all()  # later last purchase, more to come
    assert model.expected(0, x, t_x, T) == pytest.approx(np.zeros(len(x)))
    assert np.isfinite(log_likelihoods(*MODELS[name], x, t_x, T)[0]).all()


def test_slopes_are_those_of_the_likelihood():
    x, t_x, T = np.array([0.0, 1, 7, 900]), np.array([0.0, 3, 20, 38]), np.array([39.0, 30, 25, 39])
    at = np.array(MODELS["as of cdnow"])
    slopes = np.transpose(log_likelihoods(*at, x, t_x, T)[1])
    for row in range(len(x)):
        one = [column[row : row + 1] for column in (x, t_x, T)]
        numeric = approx_fprime(at, lambda values, one=one: log_likelihoods(*values, *one)[0][0], 1e-7)
        assert slopes[row] == pytest.approx(numeric, rel=1e-4, abs=1e-4)


def test_a_planted_model_is_found():
    """100,000 customers that the model itself made."""
    random = np.random.default_rng(3)
    n, r, alpha, a, b = 100_000, 0.8, 6.0, 0.9, 2.5
    T = random.integers(10, 80, n).astype(float)
    rate, leaves = random.gamma(r, 1 / alpha, n), random.beta(a, b, n)
    x, t_x = np.zeros(n), np.zeros(n)
    going = np.ones(n, dtype=bool)  # whoever bought has not left yet: no chance to leave before the first repeat
    while going.any():
        t = t_x + random.exponential(1, n) / rate
        going &= t <= T
        x, t_x = np.where(going, x + 1, x), np.where(going, t, t_x)
        going &= random.random(n) >= leaves
    assert parameters(fit(x, t_x, T)) == pytest.approx((r, alpha, a, b), rel=0.05)


def test_a_model_is_plain_numbers(models):
    text = json.dumps(models["sample"].to_dict())
    assert BgNbd.from_dict(json.loads(text)) == models["sample"]


@pytest.mark.parametrize(
    ("x", "t_x", "T", "message"),
    [
        ([1], [5], [4], "impossible history"),
        ([0], [1], [4], "impossible history"),
        ([-1], [0], [4], "impossible history"),
        ([1, np.nan], [1, 1], [4, 4], "not finite"),
        ([0, 0], [0, 0], [4, 9], "nobody has a repeat"),
        ([], [], [], "nobody has a repeat"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, t_x, T, message):
    with pytest.raises(ValueError, match=message):
        fit(x, t_x, T)


def test_a_population_that_is_all_alike_drives_parameters_to_their_bounds_not_to_nonsense():
    x, t_x, T = [2, 2, 0, 3, 0, 1, 1], [4, 0.3, 0, 8.6, 0, 12, 0.1], [4.3, 8.3, 0, 10, 6.3, 12.1, 3]
    model = fit(x, t_x, T)
    assert model.b == pytest.approx(np.exp(8))
    assert (model.expected(13, x, t_x, T) > 0).all()
