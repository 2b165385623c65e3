"""Sweeps on a Dask cluster: the bytes of a sweep here, also when a worker ends midway."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import openalpha
from openalpha.core.errors import InputError, VenueUnavailable
from openalpha.research import sweep_cluster
from openalpha.research.sweep_result import SweepResult
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.builtin.ma_cross import MaCross
from tests.fakes.markets import noise

distributed = pytest.importorskip("distributed", reason="Dask is not installed")

GRID = {"fast": "3:9:1", "slow": "12:30:2"}
MARK, PARENT = "OPENALPHA_TEST_MARK", "OPENALPHA_TEST_PARENT"


class Fragile(MaCross):
    """Ends the first worker that asks it, without a word."""

    name = "fragile"

    def target(self, bars: Bars, params: Any) -> FloatArray:
        """Return the cross, or do not return."""
        if os.getpid() != int(os.environ[PARENT]) and params.slow == 20:
            try:
                Path(os.environ[MARK]).touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().target(bars, params)

    def target_e6(self, bars: Bars, params: Any) -> None:
        """Have no quick way."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("cluster")
    os.environ |= {MARK: str(folder / "ended"), PARENT: str(os.getpid())}
    made = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1",
        local_directory=str(folder), silence_logs="ERROR",
    )  # fmt: skip
    yield made
    made.close()
    del os.environ[MARK], os.environ[PARENT]


def swept(home: Path, strategy: Any = "ma_cross", **choices: Any) -> SweepResult:
    return openalpha.sweep(strategy, noise(1_500), grid=GRID, home=home, **choices)


def same(one: SweepResult, other: SweepResult) -> bool:
    a, b = one.trials, other.trials
    return one.id == other.id and all(
        x.tobytes() == y.tobytes()
        for x, y in ((a.figures, b.figures), (a.daily, b.daily), (a.status, b.status))
    )


def test_a_cluster_leaves_no_trace(tmp_path: Path, cluster: Any) -> None:
    here = swept(tmp_path / "here", workers=1)
    far = swept(tmp_path / "far", cluster=cluster.scheduler_address)
    assert same(here, far)
    assert far.family == len(far) == 70


def test_refused_configurations_are_said_as_they_are_here(tmp_path: Path, cluster: Any) -> None:
    grid = {"fast": [3, 50], "slow": [12, 20]}
    here, far = (
        openalpha.sweep("ma_cross", noise(300), grid=grid, home=tmp_path / name, cluster=address)
        for name, address in (("here", ""), ("far", cluster.scheduler_address))
    )
    assert same(here, far)
    assert here.counts == far.counts


def test_a_worker_that_ends_midway_is_made_good(tmp_path: Path, cluster: Any) -> None:
    far = swept(tmp_path / "far", Fragile, cluster=cluster.scheduler_address)
    assert Path(os.environ[MARK]).exists()
    assert same(swept(tmp_path / "here", Fragile, workers=1), far)


def test_another_version_is_refused(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_cluster, "_version", lambda: ("another", {}))
    with pytest.raises(InputError, match="runs another version"):
        swept(tmp_path, cluster=cluster.scheduler_address)


def test_no_cluster_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_cluster, "_CONNECT_S", 1)
    with pytest.raises(VenueUnavailable, match="no Dask cluster"):
        swept(tmp_path, cluster="tcp://127.0.0.1:9")
    for words in ("10.0.0.5", "here", "tcp://"):
        with pytest.raises(InputError, match="expected one like"):
            swept(tmp_path, cluster=words)
