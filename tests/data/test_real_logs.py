"""The three public logs, where they lie beside the checkout: what is known of them comes out."""

from pathlib import Path

import numpy as np

from lab.commands.describe_log import description
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.log.histories import Histories
from lab.data.sources import OnlineRetail, OpenEcommerce, Taobao
from lab.data.timeline import DAY, Timeline, folds, instant
from tests.conftest import real_data


def rules(histories: Histories) -> dict[str, int]:
    return {rule["rule"]: rule["rows"] for rule in histories.facts["rules"]}


def test_open_ecommerce(tmp_path: Path) -> None:
    folder = str(real_data("open_ecommerce_states"))
    everything = prepare_log(
        OpenEcommerce(path=folder, home_state_only=False), Cleaning(time_range=False), cache=tmp_path
    )
    assert everything.facts["rows"] == 278_042
    assert (everything.users, len(everything.item_names)) == (1_735, 198_694)
    assert everything.category_names is not None and len(everything.category_names) == 1_695
    assert (rules(everything)["duplicates"], everything.facts["repeats"]["kept"]) == (0, 769)
    assert round(everything.facts["tied"], 2) == 0.73
    assert everything.facts["resolution"] == DAY
    assert everything.facts["last"] == instant("2023-03-22")
    home = prepare_log(OpenEcommerce(path=folder), horizons=(7, 30), cache=tmp_path)
    assert home.facts["rows"] == 248_467
    (fold,) = folds(Timeline(), (7, 30), home.facts["first"], home.facts["last"])
    assert fold.test_cutoff == instant("2022-07-31")
    assert home.facts["known_until"] == instant("2022-07-01")
    assert set(home.user_attributes()["home_state_in_subset"]) == {"1"}
    assert max(map(len, description(home))) <= 80


def test_online_retail(tmp_path: Path) -> None:
    found = prepare_log(OnlineRetail(path=str(real_data("uci_online_retail"))), horizons=(7, 30), cache=tmp_path)
    assert found.facts["rows"] == 541_909
    assert found.facts["missing"]["user"] == rules(found)["missing"] == 135_080
    assert [(b.name, b.sign) for b in found.behaviours] == [("purchase", 1), ("cancellation", -1)]
    # Of the 9,288 cancellations 383 have no customer; some are duplicates or match no purchase.
    cancelled = int((found.behaviour == 1).sum())
    duplicates = 9_288 - 383 - rules(found)["cancellations"] - cancelled
    assert 0 <= duplicates <= rules(found)["duplicates"]
    assert found.facts["repeats"]["columns"] == ["InvoiceNo"], "the same thing twice in a minute, on two invoices"
    assert found.quantity is not None and np.nanmin(found.quantity) > 0
    assert found.category is None
    assert not [name for name in found.user_names if "." in name]
    assert max(map(len, description(found))) <= 80


def test_taobao(tmp_path: Path) -> None:
    found = prepare_log(Taobao(path=str(real_data("taobao_userbehavior_815u"))), horizons=(1, 2), cache=tmp_path)
    # The last line is cut short and so has no time.
    assert (found.facts["rows"], found.facts["missing"]["time"]) == (84_476, 1)
    assert (rules(found)["missing"], rules(found)["time_range"]) == (1, 35)
    assert (found.users, found.events) == (815, 84_475 - 35)
    assert [b.name for b in found.behaviours] == ["view", "favourite", "cart", "purchase"]
    assert max(map(len, description(found))) <= 80
