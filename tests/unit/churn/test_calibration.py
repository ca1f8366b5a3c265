"""Calibration: a planted distortion is undone, the choice is fair, the result is plain data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from visitgrain.churn.calibration import CANDIDATES, Calibration, fit
from visitgrain.churn.quality import auc, ece, log_loss


def months(seed: int, n: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True probability, label and one of six months."""
    random = np.random.default_rng(seed)
    p = random.beta(1.2, 1.8, n)
    return p, (random.random(n) < p).astype(int), np.arange(n) % 6


def overconfident(p: np.ndarray) -> np.ndarray:
    return expit(2.5 * logit(p) + 0.7)


def staircase(p: np.ndarray) -> np.ndarray:
    """Monotone, but no sigmoid undoes it."""
    return np.where(p < 0.4, p / 8, np.where(p < 0.6, 0.05 + (p - 0.4) * 4, 0.85 + (p - 0.6) / 4))


@pytest.mark.parametrize(
    ("distorted", "expected"), [(lambda p: p, "none"), (overconfident, "platt"), (staircase, "isotonic")]
)
def test_the_best_is_what_undoes_the_distortion(distorted, expected):
    p, y, month = months(0)
    found = fit(distorted(p), y, month=month)
    assert found.how == expected
    assert set(found.log_losses) == set(CANDIDATES)
    later_p, later_y, _ = months(1)
    calibrated = found.apply(distorted(later_p))
    assert ece(later_y, calibrated) < 0.025
    assert log_loss(later_y, calibrated) < log_loss(later_y, later_p) + 0.01  # steps of isotonic cost .007
    assert found.how == "none" or log_loss(later_y, calibrated) < log_loss(later_y, distorted(later_p)) - 0.02


def test_platt_recovers_the_sigmoid():
    """raw = sigmoid(2.5 logit p + .7), so that logit p = logit(raw) / 2.5 - .7 / 2.5"""
    p, y, _ = months(2, n=40_000)
    found = fit(overconfident(p), y, how="platt")
    assert (found.slope, found.intercept) == pytest.approx((0.4, -0.28), abs=0.02)


def test_isotonic_does_not_win_on_its_own_rows():
    """On the rows it was fitted on its loss is the least; in the other months it is not."""
    p, y, month = months(3, n=300)
    own = {how: log_loss(y, fit(p, y, how=how).apply(p)) for how in CANDIDATES}
    assert min(own, key=own.get) == "isotonic"
    assert fit(p, y, month=month).how != "isotonic"


@pytest.mark.parametrize("how", CANDIDATES)
def test_order_is_never_reversed(how):
    p, y, _ = months(4, n=500)
    found = fit(1 - p, y, how=how)  # a score that ranks backwards
    values = found.apply(np.linspace(0, 1, 101))
    assert (np.diff(values) >= 0).all()
    assert ((values >= 0) & (values <= 1)).all()


def test_platt_keeps_auc_exactly():
    p, y, _ = months(5, n=500)
    assert auc(y, fit(p, y, how="platt").apply(p)) == pytest.approx(auc(y, p), abs=1e-12)


@pytest.mark.parametrize("how", ["platt", "isotonic"])
def test_separable_labels_do_not_prove_certainty(how):
    raw = np.linspace(0.01, 0.99, 50)
    values = fit(raw, (raw > 0.5).astype(int), how=how).apply(np.array([0.0, 1.0]))
    assert 0 < values[0] < 0.1
    assert 0.9 < values[1] < 1


@pytest.mark.parametrize("how", [*CANDIDATES, "best"])
def test_json_and_back_gives_the_same_numbers(how):
    p, y, month = months(6, n=600)
    found = fit(staircase(p), y, how=how, month=month)
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert (again.apply(p) == found.apply(p)).all()


def test_what_is_refused():
    p, y, month = months(7, n=60)
    with pytest.raises(ValueError, match="two or more"):
        fit(p, y)
    with pytest.raises(ValueError, match="two or more"):
        fit(p, y, month=np.zeros(60))
    with pytest.raises(ValueError, match="0-1: found"):
        fit(p * 2, y, month=month)
    with pytest.raises(ValueError, match="'spline'"):
        fit(p, y, how="spline")
    with pytest.raises(ValueError, match="'spline'"):
        Calibration.from_dict({"how": "spline"})


def test_the_level_follows_the_final_model_and_the_order_stays():
    """The first fit was too low on the choosing months, the final one is not: its level is not moved a second time."""
    random = np.random.default_rng(3)
    truth = random.uniform(0.1, 0.9, 4000)
    y = (random.random(4000) < truth).astype(float)
    first = expit(logit(truth) - 1)
    fitted = fit(first, y, how="platt")
    assert fitted.apply(first).mean() == pytest.approx(y.mean(), abs=0.005)
    assert fitted.apply(truth).mean() > y.mean() + 0.1
    level = fitted.levelled(truth, y)
    assert level.apply(truth).mean() == pytest.approx(y.mean(), abs=1e-9)
    assert (np.argsort(level.apply(truth)) == np.argsort(truth)).all()
    assert Calibration.from_dict(level.to_dict()) == level
    assert fit(first, y, how="none").levelled(truth, y).shift == 0
