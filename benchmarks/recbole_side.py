"""RecBole's side of `benchmarks.peers`: trains one of its models and prints a line of JSON after every epoch.

Runs in RecBole's own virtual environment, where the lab is not installed: only RecBole and the standard library are
used here. RecBole's defaults hold wherever nothing has to be matched: dropout, batch, learning rate, patience.
"""

# pyright: reportMissingImports=false

import argparse
import csv
import json
import sys
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

BEGUN = time.perf_counter()


def write_atomic(log: Path, folder: Path) -> None:
    """The ordered log in RecBole's format; an event's time is its place in its user's history.

    Small whole numbers, since RecBole keeps times as float32 and sorts by them.
    """
    places: Counter[str] = Counter()
    folder.mkdir()
    with log.open(newline="") as lines, (folder / f"{folder.name}.inter").open("w", newline="") as file:
        events, rows = csv.reader(lines), csv.writer(file, delimiter="\t", lineterminator="\n")
        next(events)
        rows.writerow(["user_id:token", "item_id:token", "timestamp:float"])
        for user, item in events:
            rows.writerow([user, item, places[user]])
            places[user] += 1


def settings(folder: Path, asked: argparse.Namespace) -> dict:
    """RecBole's configuration: leave one out, all items ranked, cross-entropy over all items."""
    return {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
        "repeatable": True,
        "metrics": ["NDCG"],
        "valid_metric": "NDCG@10",
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "embedding_size": asked.width,
        "hidden_size": asked.width,
        "inner_size": 4 * asked.width,
        "MAX_ITEM_LIST_LENGTH": asked.length,
        "epochs": asked.epochs,
        "seed": asked.seed,
        "use_gpu": asked.gpu,
        "show_progress": False,
        "metric_decimal_place": 6,
    }


class Enough(Exception):
    """The time is up."""


def main() -> None:
    """Prepare, say what there is, train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=("GRU4Rec", "SASRec"))
    parser.add_argument("log", type=Path)
    for name in ("width", "length", "epochs", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--gpu", action="store_true")
    asked = parser.parse_args()

    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, init_seed

    # RecBole reads the command line by itself.
    del sys.argv[1:]
    folder = Path.cwd()
    write_atomic(asked.log, folder / "log")
    config = Config(model=asked.model, dataset="log", config_dict=settings(folder, asked))
    if asked.gpu and config["device"].type != "cuda":
        sys.exit("--gpu: PyTorch finds no GPU here, and RecBole would take the CPU instead.")
    init_seed(config["seed"], config["reproducibility"])
    train, valid, _ = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    model = get_model(config["model"])(config, train.dataset).to(config["device"])
    counts = {"targets": len(train.dataset), "asked": len(valid.dataset), "items": train.dataset.item_num - 1}
    say(counts | {"device": str(config["device"]), "preparation": time.perf_counter() - BEGUN})
    fit(config, model, train, valid, asked.seconds)


def fit(config, model, train, valid, seconds: float) -> None:
    """RecBole's own loop, with its epochs timed from outside of them."""
    from recbole.trainer import Trainer

    trainer = Trainer(config, model)
    begun = time.perf_counter()
    spent = {"train": 0.0, "valid": 0.0}

    def timed(name: str, work, *arguments, **named):
        before = time.perf_counter()
        result = work(*arguments, **named)
        spent[name] = time.perf_counter() - before
        return result

    trainer._train_epoch = partial(timed, "train", trainer._train_epoch)
    trainer._valid_epoch = partial(timed, "valid", trainer._valid_epoch)

    def epoch(_: int, ndcg: float) -> None:
        since = time.perf_counter() - begun
        say(spent | {"since": since, "ndcg": float(ndcg)})
        if since >= seconds:
            raise Enough

    with suppress(Enough):
        # Nothing is saved: no file that `torch.load` would then refuse.
        trainer.fit(train, valid, saved=False, verbose=False, callback_fn=epoch)


def say(what: dict) -> None:
    """One line that the parent reads."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
