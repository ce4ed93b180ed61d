"""The script that proves and measures the full path on a card: parts of it, at toy sizes."""

import json

import check
from stand_in import as_accelerator

from clipspm_lite import otam


def test_it_compares_with_the_cpu_measures_and_writes_what_it_measured_on(tmp_path, capsys):
    sections = ["same_as_the_cpu", "half_precision", "encoding", "scoring"]
    assert check.main(["--small", "--only", *sections, "--out", str(tmp_path / "check.json")]) == 0
    results, printed = json.loads((tmp_path / "check.json").read_text()), capsys.readouterr().out
    assert {"device", "card", "torch", "cuda", "date", "small", "seconds"} <= set(results)
    assert all(row["what"] in printed for row in results["rows"])
    assert sum(row["passed"] is True for row in results["rows"]) == 9


def test_it_fails_where_a_device_computes_otherwise(monkeypatch):
    with as_accelerator() as flops:
        assert check.main(["--small", "--only", "same_as_the_cpu"]) == 0
    assert flops["meta"] and flops["cpu"]  # compared with the CPU
    scale = iter((1.0, 1.01))
    monkeypatch.setattr(check, "otam", lambda query, support: next(scale) * otam(query, support))
    assert check.main(["--small", "--only", "same_as_the_cpu"]) == 1
