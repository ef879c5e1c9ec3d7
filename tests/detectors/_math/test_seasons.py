"""A day's rhythm: fitted with statsmodels away from any verdict, and used as numbers."""

import subprocess
import sys

import numpy as np
import pytest

from detectors._math.seasons import HOURS, Season, fit
from tests.support.parts import ROOT


def test_a_season_is_fitted_and_knows_a_busy_hour_from_a_theft() -> None:
    rng = np.random.default_rng(8)
    hours = np.arange(24 * 21)
    payday = np.where(hours % 24 == 9, -0.05, 0.002)
    season = fit((payday + rng.normal(size=len(hours)) * 0.003).tolist())
    assert abs(season.standard(10 * 3600.0, -0.05)) < 4
    assert season.standard(16 * 3600.0, -0.05) < -8
    assert season.of_days == 21


def test_a_season_is_checked() -> None:
    with pytest.raises(ValueError, match="24"):
        Season((0.0,) * 23, (1.0,) * 24)
    with pytest.raises(ValueError, match="four days"):
        fit([0.0] * (4 * HOURS - 1))


def test_neither_statsmodels_nor_numpy_is_loaded_where_nothing_is_fitted() -> None:
    script = "import sys; from detectors import discover; discover(); print({'statsmodels', 'numpy'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
