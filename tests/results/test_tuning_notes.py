"""What is said below a table of how its baselines were tuned."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lab.evaluation.measures import Metric
from lab.report.contents import read_contents
from lab.report.page import page
from lab.results.store import Store
from lab.results.tables import print_tables, write_tables
from lab.targets import Interest
from tests.results.made import evaluation, metrics, record, same_everywhere

Tuned = dict[str, float]


def write(store: Store, horizon: float, fold: int, tuned: Tuned, model: str = "decayed", **changes: object) -> None:
    """A baseline's cell, tuned as told."""
    table = same_everywhere(0.3, noise=0.1)
    cell = record(f"{model}-{horizon:g}-{fold}", kind="baseline", model=model, features="", seed=None, fold=fold)
    valid = tuple(Metric("valid", "all", name, value) for name, value in tuned.items())
    store.write(replace(cell, horizon=horizon, metrics=(*valid, *metrics(table)), **changes), judged=evaluation(table))


def of(value: float, queries: int, answered: int, **settings: float) -> Tuned:
    return {"ndcg@10": value, "queries": queries, "answered": answered, **settings}


def test_settings_value_and_queries_stand_in_one_line_for_each_baseline(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for fold, tau in enumerate((3.0, 14.0, 7.0)):
        tuned = of(0.5 + 0.1 * fold, 512, 1_200 + fold, tau_days=tau, own_share=0.95, smoothing=1 / 3)
        write(store, 7.0, fold, tuned)
    write(store, 30.0, 0, of(0.2, 1_163, 1_163, tau_days=float("inf"), smoothing=1e-4))
    write(store, 7.0, 0, {"ndcg@10": 0.1234, "queries": 1.0, "popularity_days": 1460.0}, model="popularity")
    (shown,) = write_tables(store)
    assert shown.tuning == (
        "decayed, tuned on valid: 7 days: tau_days 3 to 14, own_share 0.95, smoothing 0.333 (NDCG@10 .600 on 512 of "
        "1,200 to 1,202 queries in each of 3 folds); 30 days: tau_days inf, smoothing 0.0001 (NDCG@10 .200 on 1,163 "
        "queries).",
        "popularity, tuned on valid: 7 days: popularity_days 1,460 (NDCG@10 .123 on 1 query).",
    )


def test_it_is_said_wherever_the_table_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, 7.0, 0, of(0.5, 512, 512, tau_days=3.0))
    shown = write_tables(store)
    file = io.StringIO()
    print_tables(shown, Console(file=file, width=200))
    words = "decayed, tuned on valid: 7 days: tau_days 3 (NDCG@10 .500 on 512 queries)."
    latex = (tmp_path / "summary.tex").read_text()
    assert f"- {words}" in (tmp_path / "summary.md").read_text().replace("\\", "").splitlines()
    assert "How each baseline was tuned on valid: summary.md." in file.getvalue()
    assert f"% {words}" in latex.splitlines(), "in LaTeX as a comment"
    assert f"<li>{words}</li>" in page(read_contents(tmp_path), ())


@pytest.mark.parametrize("model", ["lstm", "oracle"])
def test_what_chooses_nothing_has_no_such_line(tmp_path: Path, model: str) -> None:
    store = Store(tmp_path)
    kind = "oracle" if model == "oracle" else "model"
    write(store, 7.0, 0, {"loss": 1.0, "step": 100.0} if kind == "model" else {}, model=model, kind=kind)
    write(store, 7.0, 0, {}, model="mine")
    (shown,) = write_tables(store)
    assert shown.tuning == ()


def test_the_metric_is_the_one_that_was_tuned_by(tmp_path: Path) -> None:
    """Which need not lead, as where only whole cells have the leading metric."""
    store, measures = Store(tmp_path), replace(Interest().measures(), leading="recall@10")
    write(store, 7.0, 0, {"log_loss": 2.5, "queries": 9.0, "answered": 9.0, "smoothing": 0.1}, measures=measures)
    (shown,) = write_tables(store)
    assert shown.tuning == ("decayed, tuned on valid: 7 days: smoothing 0.1 (log_loss 2.50 on 9 queries).",)
