"""What means something to matplotlib, LaTeX, Markdown, a spreadsheet, a terminal or a browser is shown as a name."""

import csv
import html
import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text
from rich.console import Console

from lab.core import escape
from lab.core.progress import Progress
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.report.contents import read_contents
from lab.report.figures import figure_specs
from lab.report.streams import streams
from lab.report.style import plain_power, style
from lab.report.write import write_report
from lab.results.store import Store
from lab.results.tables import print_tables, write_tables
from lab.running.plan import print_line
from lab.tracking.tracker import Tracker, Tracking
from lab.tracking.wandb_file import records
from tests.results.made import BINS, evaluation, metrics, record, same_everywhere

FEATURES = ["$10 to $20", r"$\write18{touch taken}$", "a^b~c\\d_e", "two\nlines \\input{x}", "\x1b[31mred\x1b[0m"]
MODELS = ["=1+1", "@SUM(A1)", "<script>x</script>", "[/bold] a|b", "-x & 50 % #1 {"]
VARIANT = "+7 `days` *all* _all_ \u202eleft"
HOSTILE = [*FEATURES, *MODELS, VARIANT]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[CellRecord]]:
    """A row for each model of one feature set, at two horizons, and all that a run of them leaves."""
    root = tmp_path_factory.mktemp("names") / "made"
    store, planned = Store(root), []
    curve = {"step": np.array([10, 20]), "valid_loss": np.array([3.0, 2.5])}
    for place, (model, features) in enumerate(zip(MODELS, FEATURES, strict=True)):
        for horizon in (7.0, 30.0):
            table = same_everywhere(0.2 + place / 20, noise=0.2) | {"history": np.tile(np.arange(3, 23), 3)}
            numbers = (*metrics(table), Metric("test", "all", "calibration_error", 0.1))
            name: dict[str, Any] = {"model": model, "features": features, "variant": VARIANT if place else ""}
            cell = record(f"c{place}-{horizon:g}", horizon=horizon, metrics=numbers, **name)
            store.write(cell, judged=evaluation(table, reliability=BINS), curve=curve)
            planned.append(replace(cell, status="missing", metrics=()))
    planned.append(record("failed", model="=2", features="x\ny", status="failed", reason="no \x1b[2J memory | $x$"))
    store.write(planned[-1])
    write_tables(store, planned)
    write_report(root)
    return root, planned


def unchecked(text: str) -> list[str]:
    """The letters of a text that could move a cursor or turn what is around them."""
    return re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("colours", [False, True])
def test_the_console_shows_names_and_obeys_none(made: tuple[Path, list[CellRecord]], colours: bool) -> None:
    root, planned = made
    file = io.StringIO()
    console = Console(file=file, width=250, force_terminal=colours, color_system="standard" if colours else None)
    print_tables(write_tables(Store(root), planned), console)
    said = file.getvalue()
    assert unchecked(re.sub(r"\x1b\[[0-9;]*m", "", said)) == [] and "\x1b[31mred" not in said
    for name in (
        "$10 to $20",
        r"\x1b[31mred\x1b[0m",
        r"two\nlines \input{x}",
        "[/bold] a|b",
        "<script>",
        r"\u202eleft",
    ):
        assert name in said, name


def test_a_line_and_a_progress_show_names_and_obey_none() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80)
    print_line(console, "log \x1b]0;taken\x07.csv [red]")
    with Progress(2, "work \x1b[2J", console, every=0.0) as progress:
        progress.advance(1, "\x1b[31mred\nline")
    assert unchecked(file.getvalue()) == [] and r"\x1b[31mred\nline" in file.getvalue()
    assert r"log \x1b]0;taken\x07.csv [red]" in file.getvalue()


def test_markdown_has_as_many_cells_as_columns_and_no_markup_of_a_name(made: tuple[Path, list[CellRecord]]) -> None:
    text = (made[0] / "summary.md").read_text()
    assert unchecked(text) == []
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert r"[/bold] a\|b" in text.replace(r"\[", "[").replace(r"\]", "]") and r"\<script>" in text
    assert r"\$10 to \$20" in text and r"\`days\` \*all\* \_all\_" in text


@given(st.text())
def test_markdown_and_latex_stay_on_their_line(text: str) -> None:
    for shown in (escape.markdown(text), escape.latex(text), escape.latex_comment(text)):
        assert len(shown.splitlines()) <= 1 and unchecked(shown) == []
    assert unchecked(escape.terminal(text)) == []


TEX = shutil.which("pdflatex") or shutil.which("tectonic")


def test_no_name_is_a_command_of_latex(made: tuple[Path, list[CellRecord]]) -> None:
    body = (made[0] / "summary.tex").read_text()
    table = body[body.index(r"\begin{tabular}") :]
    assert not re.search(r"(?<!\\)%|\$\\write", table) and r"\input{x}" not in table
    assert r"\textbackslash{}write18\{touch taken\}\$" in body and r"a\textasciicircum{}b\textasciitilde{}c" in body


def test_latex_is_compiled_and_runs_no_command_of_a_name(made: tuple[Path, list[CellRecord]], tmp_path: Path) -> None:
    if TEX is None:
        pytest.skip("neither pdflatex nor tectonic is on the PATH; install one to compile summary.tex")
    body = (made[0] / "summary.tex").read_text()
    page = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{body}\\end{{document}}\n"
    (tmp_path / "page.tex").write_text(page)
    flags = ["-interaction=nonstopmode", "-halt-on-error", "-shell-escape"] if "pdflatex" in TEX else []
    done = subprocess.run([TEX, *flags, "page.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "page.pdf").exists() and not (tmp_path / "taken").exists()


@pytest.mark.parametrize("table", ["cells.csv", "summary.csv", "comparisons.csv"])
def test_no_cell_of_a_table_is_a_formula_and_every_name_comes_back(
    made: tuple[Path, list[CellRecord]], table: str
) -> None:
    with (made[0] / table).open(newline="") as file:
        found = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in found if re.match(r"[=+\-@\t\r]", cell) and not is_number(cell)] == []
    if table == "cells.csv":
        assert {*MODELS, *FEATURES, VARIANT} <= {escape.csv_name(cell) for cell in found}
        contents = read_contents(made[0])
        assert [one.id for one in contents.planned] == [one.id for one in made[1]]
    elif table == "comparisons.csv":
        assert {one.a for one in read_contents(made[0]).compared} >= {f"=1+1 · {FEATURES[0]}"}


def is_number(text: str) -> bool:
    try:
        return bool(float(text) + 1)
    except ValueError:
        return False


@given(st.text(alphabet="'=+-@\t\rab"))
def test_a_cell_of_csv_has_one_name(text: str) -> None:
    assert escape.csv_name(escape.csv_cell(text)) == text and not re.match(r"[=+\-@\t\r]", escape.csv_cell(text))


def test_figures_show_names_letter_by_letter(made: tuple[Path, list[CellRecord]]) -> None:
    contents, shown = read_contents(made[0]), set()
    with style():
        for one in figure_specs(contents):
            if (figure := one.make(contents)) is None:
                continue
            figure.draw_without_rendering()
            texts = [text for text in figure.findobj(Text) if text.get_text()]
            assert not [text.get_text() for text in texts if text._preprocess_math(text.get_text())[1]]
            shown |= {" ".join(text.get_text().split()) for text in texts}
    assert not [text for text in shown if unchecked(text)]
    for name in ("$10 to $20", r"$\write18{touch taken}$", r"a^b~c\d_e"):
        assert any(name in text for text in shown), name
    drawn = {path.stem for path in (made[0] / "figures").glob("*.svg")}
    assert {"ablation", "calibration", "comparisons", "history", "horizon", "learning", "reliability"} <= drawn


def test_categories_of_a_stream_are_shown_letter_by_letter() -> None:
    names = ["Gifts $10-$20", r"$\frac{1}{", "\x1b[31mred", "a_b^c"]
    days = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")
    rows = [{"cutoff": day, "category": name, "predicted": 0.25, "happened": 0.25} for day in days for name in names]
    figure = streams(pd.DataFrame(rows), "shares of $ and $")
    figure.savefig(io.BytesIO())  # as a notebook does, outside of the report's style
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(legend) == sorted(["Gifts $10-$20", r"$\frac{1}{", r"\x1b[31mred", "a_b^c"])


@pytest.mark.parametrize(
    ("text", "plain"),
    [(r"$\mathdefault{10^{-2}}$", "10⁻²"), (r"$\mathdefault{2\times10^{3}}$", "2×10³"), ("0.5", "0.5")],
)
def test_powers_are_written_without_mathematics(text: str, plain: str) -> None:
    assert plain_power(text) == plain


def test_the_page_escapes_names(made: tuple[Path, list[CellRecord]]) -> None:
    page = (made[0] / "report.html").read_text("utf-8")
    assert "<script>x" not in page and "&lt;script&gt;x" in page
    assert html.escape("$10 to $20") in page


def test_wandb_is_given_names_in_letters(made: tuple[Path, list[CellRecord]]) -> None:
    root, planned = made
    said: list[str] = []
    with Tracker(root, Tracking(mode="offline", patience=600), said.append) as tracker:
        for one in planned[:4]:
            tracker.cell(one.id)
    kept = [record for path in (root / "wandb").glob("offline-run-*/*.wandb") for record in records(path)]
    runs = [record.run for record in kept if record.HasField("run")]
    assert len(runs) == 4 and not [run for run in runs if unchecked(run.display_name) or unchecked("".join(run.tags))]
    assert any(run.display_name.startswith("=1+1-$10 to $20-") for run in runs), said
