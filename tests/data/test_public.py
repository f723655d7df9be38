"""Public logs: small files of our own, in the form in which each is published, come out as events."""

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lab.commands.describe_log import main
from lab.commands.source_list import source_list, source_names
from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.sources import (
    AmazonReviews,
    Lookup,
    MovieLens,
    OnlineRetail,
    OpenEcommerce,
    Otto,
    Rees46,
    RetailRocket,
    Table,
    Taobao,
)
from lab.data.sources.public import OpenLog, PublicLog
from tests.conftest import real_data

SECOND = 1_000_000
PUBLIC = (AmazonReviews, MovieLens, OnlineRetail, OpenEcommerce, Otto, Rees46, RetailRocket, Taobao)


def events(source: PublicLog, *columns: str) -> list[tuple[Any, ...]]:
    """The events in the source's order, all sound, by these columns."""
    frame = source.scan().frame.collect(engine="streaming").sort("row")
    assert not frame["fault"].sum()
    return frame.select(columns).rows()


def lines(path: Path, *rows: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{row}\n" for row in rows).encode(encoding)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def movielens(folder: Path) -> MovieLens:
    lines(folder / "ml-1m" / "ratings.dat", "1::1193::5::978300760", "1::661::3::978302109", "2::9::4::978300055")
    films = ("661::Les Misérables (1995)::Drama|Musical", "1193::One Flew (1975)::Drama", "9::None::(no genres listed)")
    lines(folder / "ml-1m" / "movies.dat", *films, encoding="latin-1")
    return MovieLens(path=str(folder))


def retail_rocket(folder: Path) -> RetailRocket:
    lines(
        folder / "events.csv",
        "timestamp,visitorid,event,itemid,transactionid",
        "1433221332117,257597,view,355908,",
        "1433224214164,992329,addtocart,355908,",
        "1433221999827,992329,view,248676,",
        "1433223236124,287857,transaction,248676,4000",
        "1433223236125,287857,view,999,",
    )
    lines(
        folder / "item_properties_part1.csv",
        "timestamp,itemid,property,value",
        "1433224214164,355908,categoryid,1338",
        "1433221332116,355908,888,1116713 960601 n277.200",
        "1433221332118,355908,categoryid,500",
        "1443224214164,248676,categoryid,77",
    )
    lines(
        folder / "item_properties_part2.csv",
        "timestamp,itemid,property,value",
        "1431226800000,248676,categoryid,12",
        "1431226800000,248676,categoryid,13",
    )
    return RetailRocket(path=str(folder))


def rees46(folder: Path) -> Rees46:
    header = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
    lines(
        folder / "2019-Oct.csv.gz",
        header,
        "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde-8bb3",
        "2019-10-01 00:00:01 UTC,cart,1307067,2053013558920217191,computers.notebook,lenovo,251.74,550050854,7c90fc70",
    )
    lines(
        folder / "2019-Nov.csv",
        header,
        "2019-11-01 00:00:00 UTC,purchase,1307067,2053013558920217191,computers.notebook,lenovo,251.74,550050854,7c9",
        "2019-11-01 00:00:02 UTC,remove_from_cart,1,2053013558920217191,,,0.5,550050854,7c9",
    )
    lines(folder / "2019-Dec.csv", header)
    return Rees46(path=str(folder))


def amazon_2023(folder: Path) -> AmazonReviews:
    review = {"rating": 5.0, "title": "Great!", "text": "a\nb", "images": [], "helpful_vote": 0}
    rows = [("AGKH", "B00", "B01", 1588687728923), ("AGKH", "B02", "B02", 1588615855070), ("AEE", "B9", "B9", 1)]
    said = [
        json.dumps(review | {"asin": asin, "parent_asin": parent, "user_id": user, "timestamp": time})
        for user, asin, parent, time in rows
    ]
    lines(folder / "All_Beauty.jsonl.gz", *said)
    lines(
        folder / "meta_All_Beauty.jsonl.gz",
        json.dumps({"parent_asin": "B01", "title": "Spray", "categories": ["Hair", "Care"], "price": 9.5}),
        json.dumps({"parent_asin": "B02", "title": "Comb", "categories": [], "price": "from 3", "details": {"a": "b"}}),
    )
    return AmazonReviews(path=str(folder))


def otto(folder: Path) -> Otto:
    sessions = [
        {
            "session": 42,
            "events": [
                {"aid": 0, "ts": 1661200010000, "type": "clicks"},
                {"aid": 1, "ts": 1661200020500, "type": "carts"},
            ],
        },
        {"session": 43, "events": [{"aid": 1, "ts": 1661200030000, "type": "orders"}]},
    ]
    lines(folder / "otto-recsys-train.jsonl", *map(json.dumps, sessions))
    return Otto(path=str(folder))


def test_films_have_the_genres_of_their_table(tmp_path: Path) -> None:
    source = movielens(tmp_path)
    assert events(source, "user", "item", "time", "category", "behaviour", "text") == [
        ("1", "1193", 978300760 * SECOND, "Drama", "rating", "One Flew (1975)"),
        ("1", "661", 978302109 * SECOND, "Drama|Musical", "rating", "Les Misérables (1995)"),
        ("2", "9", 978300055 * SECOND, None, "rating", "None"),
    ]
    first = MovieLens(path=str(tmp_path), genres="first")
    assert events(first, "category") == [("Drama",), ("Drama",), (None,)]
    assert first.fingerprint(tmp_path) != source.fingerprint(tmp_path)
    assert events(MovieLens(path=str(tmp_path / "ml-1m")), "item") == [("1193",), ("661",), ("9",)]


def test_later_releases_are_csv(tmp_path: Path) -> None:
    lines(tmp_path / "ml-25m" / "ratings.csv", "userId,movieId,rating,timestamp", "1,296,5.0,1147880044")
    film = '296,"Pulp Fiction, or é (1994)",Comedy|Crime'
    lines(tmp_path / "ml-25m" / "movies.csv", "movieId,title,genres", film)
    found = events(MovieLens(path=str(tmp_path), release="25m"), "user", "time", "category", "text")
    assert found == [("1", 1147880044 * SECOND, "Comedy|Crime", "Pulp Fiction, or é (1994)")]


def test_a_category_is_the_latest_known_at_the_event(tmp_path: Path) -> None:
    source = retail_rocket(tmp_path)
    found = events(source, "user", "item", "time", "behaviour", "category")
    assert found == [
        ("257597", "355908", 1433221332117_000, "view", None),  # its first category came a millisecond later
        ("992329", "355908", 1433224214164_000, "cart", "1338"),
        ("992329", "248676", 1433221999827_000, "view", "13"),
        ("287857", "248676", 1433223236124_000, "purchase", "13"),  # and never the one of October
        ("287857", "999", 1433223236125_000, "view", None),
    ]
    before = source.fingerprint(tmp_path)
    lines(tmp_path / "item_properties_part2.csv", "timestamp,itemid,property,value", "1431226800000,999,categoryid,5")
    assert source.fingerprint(tmp_path) != before
    assert events(source, "category")[-1] == ("5",)


def test_what_is_known_later_changes_no_earlier_event(tmp_path: Path) -> None:
    source = retail_rocket(tmp_path)
    before = events(source, "row", "category")
    with (tmp_path / "item_properties_part1.csv").open("a") as file:
        for item in (355908, 248676, 999):
            file.write(f"1433224214165,{item},categoryid,666\n")
    assert events(source, "row", "category") == before


def test_months_are_read_in_the_order_stated(tmp_path: Path) -> None:
    source = rees46(tmp_path)
    assert events(source, "user", "item", "behaviour", "category") == [
        ("541312140", "44600062", "view", "2103807459595387724"),
        ("550050854", "1307067", "cart", "computers.notebook"),
        ("550050854", "1307067", "purchase", "computers.notebook"),
        ("550050854", "1", "uncart", "2053013558920217191"),
    ]
    assert events(source, "time", "price")[0] == (1569888000 * SECOND, pytest.approx(35.79))
    assert [b.name for b in source.scan().behaviours] == ["uncart", "view", "cart", "purchase"]
    assert len(events(Rees46(path=str(tmp_path), months=("2019-Oct",)), "row")) == 2
    assert len(events(Rees46(path=str(tmp_path / "2019-Nov.csv")), "row")) == 2
    with pytest.raises(InputError, match=r"source\.months: '2019-10' is no month of it; there are 2019-Oct"):
        Rees46(months=("2019-10",))
    with pytest.raises(InputError, match=r"holds no 2020-Jan\.csv\.gz"):
        Rees46(path=str(tmp_path), months=("2020-Jan",)).scan()


def test_reviews_go_by_the_item_that_variants_share(tmp_path: Path) -> None:
    found = events(amazon_2023(tmp_path), "user", "item", "time", "category", "behaviour", "text")
    assert found == [
        ("AGKH", "B01", 1588687728923_000, "Hair / Care", "rating", "Spray"),
        ("AGKH", "B02", 1588615855070_000, None, "rating", "Comb"),
        ("AEE", "B9", 1_000, None, "rating", None),
    ]


def test_reviews_of_2018(tmp_path: Path) -> None:
    review = {
        "overall": 5.0,
        "reviewerID": "A1",
        "asin": "0151004714",
        "unixReviewTime": 1252800000,
        "style": {"a:": "b"},
    }
    lines(tmp_path / "Books.json.gz", json.dumps(review))
    item = {"asin": "0151004714", "category": ["Books", "Fiction"], "title": "X"}
    lines(tmp_path / "meta_Books.json", json.dumps(item), json.dumps(item | {"title": "again"}))
    source = AmazonReviews(path=str(tmp_path), release="2018", department="Books")
    found = events(source, "user", "item", "time", "category", "text")
    assert found == [("A1", "0151004714", 1252800000 * SECOND, "Books / Fiction", "X")]


def test_events_inside_a_session_are_rows(tmp_path: Path) -> None:
    assert events(otto(tmp_path), "user", "item", "time", "behaviour", "row") == [
        ("42", "0", 1661200010000_000, "view", 0),
        ("42", "1", 1661200020500_000, "cart", 1),
        ("43", "1", 1661200030000_000, "purchase", 2),
    ]


def test_the_shops_csv_at_uci_writes_the_month_first(tmp_path: Path) -> None:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    row = "536365,85123A,WHITE HOLDER,6,{},2.55,17850.0,United Kingdom"
    lines(tmp_path / "a.csv", header, row.format("12/1/2010 8:26"), row.format("1/31/2011 14:05"))
    lines(tmp_path / "b.csv", header, row.format("2010-12-01 08:26:00"), row.format("2011-01-31 14:05:00"))
    first, second = (events(OnlineRetail(path=str(tmp_path / name)), "time", "user") for name in ("a.csv", "b.csv"))
    assert first == second == [(1291191960 * SECOND, "17850"), (1296482700 * SECOND, "17850")]


MAKERS = (movielens, retail_rocket, rees46, amazon_2023, otto)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_each_is_described_by_its_name(make: Callable[[Path], PublicLog], tmp_path: Path, capsys) -> None:
    source = make(tmp_path)
    assert main([source.name, "--path", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 0
    out, err = capsys.readouterr()
    assert err == "" and max(map(len, out.splitlines())) <= 80
    assert str(source.licence) in " ".join(out.split())
    assert prepare_log(source, cache=tmp_path / "cache").events > 0


@pytest.mark.parametrize("source", PUBLIC)
def test_what_is_absent_names_its_page_and_its_place(source: type[PublicLog], tmp_path: Path) -> None:
    log = source(path=str(tmp_path))
    with pytest.raises(InputError) as said:
        log.scan()
    message = str(said.value)
    assert log.homepage and log.homepage in message and log.licence and log.licence in message and log.citation
    assert message.startswith(f"{tmp_path}: holds no {log.names()[0][0]}; ")
    assert ("--source.download" in message) == issubclass(source, OpenLog)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("itemid", "item_nr"),
        lambda text: text.replace("itemid,", "itemid,itemid,"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace("view", "vi\udce9w"),
        lambda text: text.replace("143322", "soon"),
        lambda text: text.replace("view", "stroll"),
    ],
    ids=["column", "twice", "separator", "encoding", "time", "behaviour"],
)
def test_another_form_of_file_is_told_without_settings_that_are_not_there(
    damage: Callable[[str], str], tmp_path: Path, capsys
) -> None:
    retail_rocket(tmp_path)
    log = tmp_path / "events.csv"
    log.write_bytes(damage(log.read_text()).encode("utf-8", "surrogateescape"))
    assert main(["retail-rocket", "--path", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "events.csv" in said and str(RetailRocket.homepage) in said
    assert "--" not in said and "state the" not in said and "source." not in said


def test_downloads_are_asked_for_and_name_what_is_read() -> None:
    for source in PUBLIC:
        if not issubclass(source, OpenLog):
            assert source is Taobao
            continue
        log = source()
        assert not log.download
        given = {name for one in log.downloads() for name in (one.members or (one.file,))}
        assert all(given.intersection(found) for found in log.names())
        assert all(one.url.startswith("https://") for one in log.downloads())
        for one in log.downloads():
            for checksum in filter(None, (one.checksum, *one.members.values())):
                kind, _, value = checksum.partition(":")
                assert len(bytes.fromhex(value)) == hashlib.new(kind).digest_size


def test_every_release_and_month_has_its_address() -> None:
    (ten,) = MovieLens(release="10m").downloads()
    assert ten.url.endswith("/ml-10m.zip") and list(ten.members) == ["ml-10M100K/ratings.dat", "ml-10M100K/movies.dat"]
    books = AmazonReviews(release="2018", department="Books").downloads()
    assert [d.url.rpartition("/")[2] for d in books] == ["Books.json.gz", "meta_Books.json.gz"]
    assert [d.file for d in Rees46(months=("2020-Apr",)).downloads()] == ["2020-Apr.csv.gz"]


def test_a_lookup_takes_the_place_of_a_column_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "items.tsv").write_text("id\tshelf\n7\tfood\n7\ttoys\n")
    frame = pl.DataFrame(
        {"user": ["a", "b"], "item": ["7", "8"], "time": ["2020-01-01", "2020-01-02"], "category": "x"}
    )
    items = Lookup(path=str(tmp_path / "items.tsv"), on="item", key="id", columns={"category": pl.col("shelf")})
    found = Table(frame=frame, lookups=(items,)).scan().frame.collect().sort("row")
    assert found["category"].to_list() == ["food", None]


def test_several_files_may_be_named(tmp_path: Path, capsys) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"user,item,time\n{name},1,2020-01-01\n")
    files = [str(tmp_path / "b.csv"), str(tmp_path / "a.csv")]
    assert Table(path=tuple(files)).scan().frame.collect()["user"].to_list() == ["b", "a"]
    assert main([*files, "--cache", str(tmp_path / "cache")]) == 0
    assert "table b.csv a.csv" in capsys.readouterr().out


def test_all_are_listed() -> None:
    shown = list(source_list())
    assert max(len(line) for line in shown if "https://" not in line) <= 80
    labels = [line.split()[0] for line in shown if not line.startswith(" ")]
    assert labels == sorted(source_names()) and {"movie-lens", "rees46", "synthetic-shop", "table"} <= set(labels)
    text = " ".join(" ".join(shown).split())
    for source in PUBLIC:
        assert f"licence: {source.licence}" in text and str(source.homepage) in text


def test_what_is_there_is_listed_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    retail_rocket(tmp_path / "data" / "retail_rocket")
    monkeypatch.chdir(tmp_path)
    text = "\n".join(source_list())
    assert text.count("there: data/") == 1 and "there: data/retail_rocket" in text


LIST = """
import sys
from lab.commands.describe_log import main
main(["--list"])
print("jax" in sys.modules)
"""


def test_the_list_needs_no_jax() -> None:
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, cwd=root)
    assert ran.returncode == 0 and ran.stdout.startswith("amazon-reviews") and ran.stdout.endswith("False\n")


def test_movietweetings_is_written_as_movielens_was(tmp_path: Path) -> None:
    found = prepare_log(MovieLens(path=str(real_data("movietweetings_100k"))), cache=tmp_path)
    assert (found.facts["rows"], found.users) == (100_000, 16_554)
    assert len(found.item_names) == 10_506
    assert found.category_names is not None and "Comedy|Short" in set(found.category_names)
    assert found.facts["missing"]["category"] < 1_000
