"""A run's steps are timed, and their memory is seen while it is used."""

import json
import time

import numpy as np

from realism.cli.meter import EVERY, Meter


def test_each_step_has_its_own_peak_and_the_report_is_current(tmp_path):
    meter = Meter(tmp_path / "report.json")
    meter.begin("large")
    held = np.ones(200 * 2**20 // 8)
    time.sleep(3 * EVERY)
    del held
    meter.begin("small")
    written = json.loads((tmp_path / "report.json").read_text())
    assert list(written["steps"]) == ["large"]
    assert written["steps"]["large"]["seconds"] >= 0.1
    meter.report["more"] = True
    meter.end()
    meter.end()  # nothing runs any more
    written = json.loads((tmp_path / "report.json").read_text())
    peaks = {name: step["peak_memory_mb"] for name, step in written["steps"].items()}
    assert list(peaks) == ["large", "small"] and written["more"]
    assert peaks["large"] >= peaks["small"] + 150
