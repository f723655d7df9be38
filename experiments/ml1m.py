"""Next items on MovieLens-1M as papers ask them: each user's last event, all items ranked, what was taken left out.

Asks: do the lab's encoders reach what is published for their kind (benchmarks/published.py prints them side by side)?
Expect: they do: NDCG@10 .181 (GRU), .195 (Transformer) and .193 (attention on the states of a GRU), where a Markov
chain is at .145; of the latter two neither can be told from the other.
Takes: nine hours of one core's time, half of that on two. Needs: ml-1m.txt of the SASRec repository (`user item` lines
in order; research use only).
Run: python -m lab.run experiments/ml1m.py --source.path data/ml-1m.txt
"""

from lab import Experiment, Timeline, Training, register
from lab.baselines import Markov, RecentPopularity
from lab.data.sources import Table
from lab.models import GRU, HSTU, Transformer
from lab.targets import NextItem

register(
    Experiment(
        name="ml1m",
        source=Table(order="rows", user="1", item="2"),
        target=NextItem(objective="sampled", negatives=512, repeats=False),
        timeline=Timeline(protocol="leave_one_out", min_events=1),
        features={"ids": ("item",)},
        models=(
            GRU(width=128),
            Transformer(width=128, layers=2),
            HSTU(width=128, layers=1, recurrent=1),  # attention on the states of a GRU
        ),
        baselines=(RecentPopularity(), Markov()),
        seeds=3,
        training=Training(
            steps=10_000,
            batch=16,
            row_length=200,
            overlap=50,
            learning_rate=2e-3,
            warmup=0.02,
            weight_decay=0,
            prior_precision=0,
            dropout=0.2,
            evaluate_every=500,
            valid_rows=0,
            patience=0,
        ),
    )
)
