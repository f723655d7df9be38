"""The columns that every log has once a source has mapped its own to them.

| column    | polars type     | meaning                                                    |
|-----------|-----------------|------------------------------------------------------------|
| user      | String or Int64 | raw id; never leaves the histories' cache                  |
| item      | String or Int64 | raw id                                                     |
| time      | Int64           | microseconds since 1970-01-01 UTC                          |
| category  | String or Int64 | optional                                                   |
| behaviour | String          | canonical name, one of the source's `behaviours`           |
| price     | Float32         | optional, per unit, in the log's currency                  |
| quantity  | Float32         | optional, units                                            |
| text      | String          | optional, what the item is called                          |
| row       | UInt32/UInt64   | position in the source, the last resort among equal times  |
"""

from dataclasses import dataclass

REQUIRED = ("user", "item", "time")
OPTIONAL = ("category", "behaviour", "price", "quantity", "text")

DEFAULT_BEHAVIOUR = "event"
"""The behaviour of a log that has no such column."""

CANCELLATION = "cancellation"
"""The behaviour that takes back an earlier purchase: it counts -1 wherever events are counted."""


@dataclass(frozen=True)
class Behaviour:
    """One kind of action, in the source's order from the weakest sign of interest to the strongest."""

    name: str
    sign: int = 1
    """What one such event adds to a count: 1, or -1 for a cancellation."""
