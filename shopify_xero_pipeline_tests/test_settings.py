"""What the environment says, and what is said when it says something that cannot be."""

from pathlib import Path

import pytest

from shopify_xero_pipeline.settings import Settings, SettingsError, check_folder, check_yaml

ADDRESS = "http://127.0.0.1:8765"
REAL = {
    "SHOPIFY_SHOP": "goods.myshopify.com",
    "SHOPIFY_CLIENT_ID": "shop-id",
    "SHOPIFY_CLIENT_SECRET": "shop-secret",
    "XERO_CLIENT_ID": "xero-id",
    "XERO_CLIENT_SECRET": "xero-secret",
}


def settings(**environ: str) -> Settings:
    return Settings.from_environment(environ, dotenv=None)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SHOPIFY_SHOP=file.myshopify.com\nXERO_CLIENT_ID=from-file\nXERO_TENANT_ID=\n")
    found = Settings.from_environment({"SHOPIFY_SHOP": "environment.myshopify.com"}, dotenv=file)
    assert found.shopify_shop == "environment.myshopify.com"
    assert found.xero_client_id == "from-file"
    assert found.xero_tenant_id == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"A=1\nOWNERS_PAGE=caf\xe9\n", r"\.env is not UTF-8 text: save it as UTF-8 \(see line 2\)\."),
        ("A=1\n".encode("utf-16"), r"\.env is not UTF-8 text"),
        (b'A=1\n\nTOKEN_KEY="secret\n', r"\.env line 3 cannot be read: write NAME=value, with both quotes or none\."),
        (b"A B=secret\n", r"\.env line 1 cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_ends_in_one_sentence_that_shows_nothing_of_it(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / ".env"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=said) as caught:
        Settings.from_environment({}, dotenv=file)
    assert "secret" not in str(caught.value)


def test_a_file_that_begins_with_a_byte_order_mark_is_read_as_any_other(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfSHOPIFY_SHOP=goods.myshopify.com\r\nXERO_TENANT_ID=\xc3\xa9\r\n")
    found = Settings.from_environment({}, dotenv=file)
    assert (found.shopify_shop, found.xero_tenant_id) == ("goods.myshopify.com", "é")


def test_a_folder_that_cannot_be_written_to_is_named_with_its_setting(tmp_path: Path) -> None:
    assert check_folder("ASSET_STORAGE", tmp_path / "new" / "one") == tmp_path / "new" / "one"
    (tmp_path / "file").touch()
    with pytest.raises(
        SettingsError, match=r"ASSET_STORAGE names .*/file, which cannot be used as a folder \(File exi"
    ):
        check_folder("ASSET_STORAGE", tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"telemetry: \xe9", r"dagster\.yaml is not UTF-8 text: save it as UTF-8\."),
        (b"telemetry: {enabled: [\n", r"dagster\.yaml line \d is not YAML: check the indentation"),
    ],
)
def test_a_file_of_dagsters_that_cannot_be_read_ends_in_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "dagster.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        check_yaml(file)


def test_a_file_that_is_not_there_is_no_problem(tmp_path: Path) -> None:
    assert Settings.from_environment({}, dotenv=tmp_path / ".env") == settings()


def test_without_any_setting_the_files_lie_below_local_and_nothing_runs_by_itself() -> None:
    found = settings()
    assert found.state_url == "sqlite:///.local/state.db"
    assert found.asset_storage == ".local/assets"
    assert found.books_file == Path("books.yaml")
    assert not found.automation
    assert not found.has_any_credential


def test_the_database_is_called_what_people_call_it_and_the_owners_page_is_the_one_given() -> None:
    assert (settings().database, settings().owners_page) == ("sqlite", "")
    assert settings(STATE_URL="postgresql://db.example/books").database == "postgres"
    assert settings(OWNERS_PAGE="https://wiki.example/books").owners_page == "https://wiki.example/books"


def test_the_hosts_of_the_ui_are_names_with_a_port_or_without() -> None:
    assert settings().dagster_hosts == ()
    found = settings(DAGSTER_HOSTS=" Books.example, webserver:3000,[fd00::1]:3000,, 10.0.0.5 ").dagster_hosts
    assert found == ("books.example", "webserver:3000", "[fd00::1]:3000", "10.0.0.5")


@pytest.mark.parametrize(
    "wrong",
    ["*", "*.example", "https://books.example", "books.example/ui", "a@b.example", "a b", "x:0", "x:y", ":3000"],
)
def test_hosts_of_the_ui_that_are_none_are_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"^DAGSTER_HOSTS must be host names separated by commas, such as books"):
        settings(DAGSTER_HOSTS=f"books.example,{wrong}")


def test_a_sandboxs_address_brings_the_sandboxs_credentials_and_files_of_its_own() -> None:
    found = settings(SHOPIFY_BASE_URL=f"{ADDRESS}/", XERO_BASE_URL=ADDRESS)
    assert found.shopify_shop == "sandbox.myshopify.com"
    assert found.shopify_client_id == found.shopify_client_secret == "sandbox"
    assert found.xero_client_id == found.xero_client_secret == "sandbox"
    assert found.shopify_base_url == ADDRESS
    assert found.state_url == "sqlite:///.local/sandbox/state.db"
    assert found.asset_storage == ".local/sandbox/assets"
    assert found.missing() == []


def test_a_static_token_needs_no_client_even_in_a_sandbox() -> None:
    found = settings(SHOPIFY_BASE_URL=ADDRESS, SHOPIFY_ACCESS_TOKEN="token")
    assert (found.shopify_client_id, found.shopify_client_secret) == ("", "")


def test_the_sandboxs_credentials_are_never_meant_for_the_real_side() -> None:
    found = settings(SHOPIFY_BASE_URL=ADDRESS)
    assert found.xero_client_id == ""
    assert [sentence[:29] for sentence in found.missing()] == ["Xero credentials are not set:"]
    assert settings(XERO_BASE_URL=ADDRESS).shopify_shop == ""


def test_secrets_are_not_in_the_repr() -> None:
    more = {"SHOPIFY_ACCESS_TOKEN": "shpat_1", "TOKEN_KEY": "my-key"}
    shown = repr(settings(**REAL, **more, STATE_URL="postgresql://me:my-password@db/state"))
    for secret in ("my-password", "my-key", "shop-id", "shop-secret", "xero-id", "xero-secret", "shpat_1"):
        assert secret not in shown
    assert "goods.myshopify.com" in shown


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("SHOPIFY_SHOP", "SHOPIFY_SHOP is not set: give the shop's own domain"),
        ("SHOPIFY_CLIENT_ID", "Shopify credentials are not set: give SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET"),
        ("SHOPIFY_CLIENT_SECRET", "or SHOPIFY_ACCESS_TOKEN of an older custom app"),
        ("XERO_CLIENT_ID", "Xero credentials are not set: give XERO_CLIENT_ID and XERO_CLIENT_SECRET"),
        ("XERO_CLIENT_SECRET", "of your custom connection"),
    ],
)
def test_each_missing_credential_is_named_with_what_to_give(gone: str, named: str) -> None:
    assert settings(**REAL).missing() == []
    (sentence,) = settings(**{name: value for name, value in REAL.items() if name != gone}).missing()
    assert named in sentence


def test_an_app_that_people_sign_in_to_needs_a_key_and_no_secret() -> None:
    given = {name: value for name, value in REAL.items() if name != "XERO_CLIENT_SECRET"}
    assert settings(**given, TOKEN_KEY="key").missing() == []
    (sentence,) = settings(**{**given, "XERO_CLIENT_ID": ""}, TOKEN_KEY="key").missing()
    assert "or of your app together with TOKEN_KEY, and run `shopify-xero login`" in sentence


@pytest.mark.parametrize("name", ["SHOPIFY_BASE_URL", "XERO_BASE_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "https://api.example.com",
        "http://10.0.0.7:8765",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "127.0.0.1:8765",
        "http://[::1",
        "http://127.0.0.1:99999",
    ],
)
def test_an_address_that_is_not_on_this_machine_is_refused(name: str, address: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is for a sandbox on this machine.*Leave it unset otherwise"):
        settings(**{name: address})


@pytest.mark.parametrize("address", ["http://localhost:1", "http://127.8.8.8:1", "https://[::1]:1"])
def test_every_way_to_name_this_machine_will_do(address: str) -> None:
    assert settings(SHOPIFY_BASE_URL=address).shopify_base_url == address


def test_automation_is_what_the_caller_says_only_where_neither_environment_nor_file_does(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    for text, environ, automation in (
        ("", {}, True),
        ("AUTOMATION=off", {}, False),
        ("AUTOMATION=off", {"AUTOMATION": "on"}, True),
        ("AUTOMATION=on", {"AUTOMATION": "off"}, False),
        ("AUTOMATION=", {}, True),
    ):
        file.write_text(text)
        assert Settings.from_environment(environ, file, automation="on").automation is automation


def test_automation_is_on_or_off() -> None:
    assert settings(AUTOMATION="ON").automation
    assert not settings(AUTOMATION="off").automation
    with pytest.raises(SettingsError, match="AUTOMATION must be on or off, not 'maybe'"):
        settings(AUTOMATION="maybe")


def test_payloads_are_kept_for_thirty_days_or_as_long_as_is_said() -> None:
    assert settings().payload_retention_days == 30
    assert settings(KEEP_PAYLOADS_DAYS="7").payload_retention_days == 7


@pytest.mark.parametrize("days", ["0", "-1", "3651", "1.5", "a month", "٣"])
def test_payloads_are_kept_for_a_whole_number_of_days(days: str) -> None:
    with pytest.raises(SettingsError, match=r"KEEP_PAYLOADS_DAYS must be a whole number of days from 1 to 3650\.$"):
        settings(KEEP_PAYLOADS_DAYS=days)


def test_shopify_signs_webhooks_with_the_client_secret_unless_another_one_is_set() -> None:
    found = settings(**REAL)
    assert (found.serve_port, found.shopify_webhook_secret, found.xero_webhook_key) == (8770, "shop-secret", "")
    given = {"SERVE_PORT": "9000", "SHOPIFY_WEBHOOK_SECRET": "new, old", "XERO_WEBHOOK_KEY": "hook-key"}
    found = settings(**REAL, **given)
    assert (found.serve_port, found.shopify_webhook_secret, found.xero_webhook_key) == (9000, "new, old", "hook-key")
    assert {"new", "old", "hook-key"} <= {*found.secrets()}
    assert "new" not in repr(found)
    assert "hook-key" not in repr(found)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8e3", "http", "٣"])
def test_the_port_is_a_port(port: str) -> None:
    with pytest.raises(SettingsError, match=r"^SERVE_PORT must be a port number from 1 to 65535\.$"):
        settings(SERVE_PORT=port)


def test_an_address_of_a_store_that_cannot_be_parsed_is_masked_as_a_whole() -> None:
    address = "postgresql://me:my-password@[::1/db"
    assert address in settings(STATE_URL=address).secrets()


def test_an_error_has_neither_the_value_nor_another_setting_in_its_chain() -> None:
    with pytest.raises(SettingsError) as caught:
        settings(ALERT_SMTP_URL="http://me:my-password@host", ALERT_MAIL_TO="ann@example.com", TOKEN_KEY="my-key")
    assert str(caught.value) == "ALERT_SMTP_URL must be an address that begins with smtps://."
    assert caught.value.__context__ is None
