"""Which databases are taken, what is said of those that are not, and where passwords do not go."""

import json
import subprocess
import sys
from urllib.parse import quote

import pytest

from search.documents import results_document
from search.errors import UserError
from search.study.database import check_url, shown, without_password
from search.study.observer import Silent
from search.study.results import read_results
from search.study.storage import check_storage, load_study, open_storage, owned_study


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql+pymysql://me@host/db", "mysql.* never tested"),
        ("redis://host", "redis.* cut short"),
        ("journal:///tmp/journal.log", "journal.* cut short"),
        ("grpc://host:13000", "grpc.* proxy"),
        ("oracle://host/x", "no storage of the kind oracle: use"),
        ("postgresql+pg8000://me@host/db", r"no storage of the kind postgresql\+pg8000: use"),
        ("sqlite://", "kept in memory"),
        ("sqlite:///:memory:", "kept in memory"),
        ("runs/study.db", "not the URL of a database"),
        ("postgresql://me:topsecret@host:port/db", "not the URL of a database.*%40"),
        ("mysql://me:topsecret@host/db", "never tested"),
    ],
)
def test_other_storages_are_refused_in_one_line(tiny_config, url, why):
    with pytest.raises(UserError, match=why) as caught:
        tiny_config(storage=url)
    message = str(caught.value)
    assert message.startswith("test: storage: ")
    assert "topsecret" not in message
    assert "\n" not in message
    assert "postgresql://user@host/database" in message or "memory" in message


@pytest.mark.parametrize(
    "url",
    ["sqlite:///runs/x.db", "sqlite:////abs/x.db", "postgresql://me@host/db",
     "postgresql+psycopg://me@host:5433/db", "postgresql:///db?host=/run/postgresql"],
)  # fmt: skip
def test_supported_urls(url):
    check_url(url)
    assert without_password(url).replace("%2F", "/") == url


def test_passwords_leave_urls():
    url = "postgresql://me:topsecret@host:5433/db?sslmode=require&password=othersecret"
    assert without_password(url) == "postgresql://me@host:5433/db?sslmode=require"
    assert shown(url) == "postgresql://me@host:5433/db"


def test_what_is_wrong_with_a_server_is_said_in_one_line(postgres):
    taken = postgres.database("postgres")
    for url, *parts in (
        (postgres.url("none"), 'database "none" does not exist', "createdb"),
        (postgres.url("postgres", "guarded"), "no password supplied", "PGPASSWORD or ~/.pgpass"),
        (postgres.url("postgres", "nobody"), 'role "nobody" does not exist'),
        ("postgresql://me:topsecret@127.0.0.1:1/x", "Connection refused"),
        (taken.replace("postgres@", "lens@"), "permission denied", "GRANT CREATE"),
    ):
        with pytest.raises(UserError) as caught:
            open_storage(url, create=True)
        message = str(caught.value)
        assert message.startswith("cannot open the storage postgresql://")
        assert all(part in message for part in parts), message
        assert "topsecret" not in message
        assert "\n" not in message
    with pytest.raises(UserError, match="Connection refused"):
        check_storage("postgresql://me@127.0.0.1:1/x")


def test_a_package_that_is_missing_is_named():
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from search.study.storage import open_storage\n"
        "open_storage('postgresql://me:topsecret@127.0.0.1:1/x', create=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith(
        "UserError: PostgreSQL needs the package psycopg: pip install -e '.[postgres]'"
    )


def test_passwords_come_from_where_libpq_finds_them(postgres, monkeypatch, tmp_path):
    url = postgres.database("guarded")
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(UserError, match="password authentication failed for user") as caught:
        open_storage(url, create=True)
    assert "wrong" not in str(caught.value)
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    open_storage(url, create=True)
    monkeypatch.delenv("PGPASSWORD")
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{postgres.port}:*:guarded:{postgres.password}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    open_storage(url, create=False)


def test_a_password_in_the_study_file_is_stored_nowhere(postgres, tiny_config):
    bare = postgres.database("guarded")
    secret = quote(postgres.password)
    config = tiny_config(storage=bare.replace("guarded@", f"guarded:{secret}@"))
    with owned_study(config, Silent()) as (study, _):
        stored = json.dumps(study.user_attrs)
        document = json.dumps(results_document(read_results(study, config)), default=str)
    dumped = "\n".join(
        postgres.sql("SELECT value_json FROM study_user_attributes", bare.rsplit("/", 1)[1])
    )
    for text in (stored, document, dumped):
        assert "tiny" in text or "driver" in text
        assert secret not in text
        assert postgres.password not in text
    _, read = load_study(config.storage, "tiny")
    assert read.storage == bare


def test_reading_makes_no_tables(postgres):
    url = postgres.database()
    with pytest.raises(UserError, match="there is no study in postgresql://lens@"):
        load_study(url, "tiny")
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
                        url.rsplit("/", 1)[1]) == ["0"]  # fmt: skip


def test_who_may_only_read_can_read(postgres, tiny_config):
    config = tiny_config(storage=postgres.database())
    with owned_study(config, Silent()):
        pass
    name = config.storage.rsplit("/", 1)[1]
    postgres.sql("CREATE ROLE reader LOGIN")
    postgres.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", name)
    assert load_study(postgres.url(name, "reader"), "tiny")[1] == config
