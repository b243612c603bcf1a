"""The check `no_duplicates_or_missing` of a day, which fails for a deleted order until a person has decided."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.alerts.service import AlertService
from shopify_xero_pipeline.defs.run_history import InstanceHistory
from shopify_xero_pipeline_tests.defs.test_sync import check_of_days, shown_of
from shopify_xero_pipeline_tests.support.small_shop import SmallShop
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged

pytestmark = pytest.mark.campaign

DAY, NEXT = date(2026, 10, 1), date(2026, 10, 2)
RECONCILIATION = ["books", "reconciliation"]


@pytest.fixture
def shop() -> SmallShop:
    return SmallShop()


@pytest.fixture
def stage(tmp_path: Path, shop: SmallShop) -> Iterator[Stage]:
    with staged(tmp_path, at(date(2026, 10, 5)), shop) as stage:
        yield stage


def no_duplicates_or_missing(instance: dg.DagsterInstance) -> dict[str, bool]:
    return check_of_days(instance, RECONCILIATION, "no_duplicates_or_missing")


def causes(stage: Stage, instance: dg.DagsterInstance) -> list[str]:
    return [one.key for one in AlertService(stage.sync_service, InstanceHistory(instance)).current_alerts()]


def test_the_check_of_the_day_is_red_until_the_sync_after_the_decision_and_the_other_day_stays_green(
    stage: Stage, shop: SmallShop
) -> None:
    gone = shop.sell(2071, at(DAY, 10))
    shop.sell(2072, at(NEXT, 10))
    with dg.DagsterInstance.ephemeral() as instance:
        runner = stage.runner(instance)
        assert runner.sync([DAY, NEXT]).succeeded
        assert no_duplicates_or_missing(instance) == {"2026-10-01": True, "2026-10-02": True}
        shop.delete(gone, stage.clock.now())
        stage.clock.sleep(60)

        report = runner.sync([DAY, NEXT])
        assert (report.succeeded, len(report.summary()["without_order"])) == (False, 1)  # type: ignore[arg-type]
        assert no_duplicates_or_missing(instance) == {"2026-10-01": False, "2026-10-02": True}
        assert check_of_days(instance, RECONCILIATION, "totals_equal") == {"2026-10-01": True, "2026-10-02": True}
        assert causes(stage, instance) == ["checks:2026-10-01", "orphans:2026-10-01"]

        (wrong,) = stage.sync_service.reconciliations.disagreements()
        assert (wrong.day, wrong.orders, [one.order_name for one in wrong.named]) == (DAY, 1, ["#2071"])

        stage.sync_service.record_ownership.dismiss(
            stage.sync_service.record_ownership.select_orphans("SH-2071"), "written off"
        )
        assert stage.sync_service.reconciliations.disagreements() == []
        assert causes(stage, instance) == ["checks:2026-10-01"]
        assert runner.sync([DAY]).succeeded
        assert no_duplicates_or_missing(instance) == {"2026-10-01": True, "2026-10-02": True}
        assert "written off" in str(shown_of(instance, "books/reconciliation")["orphans"])
        assert causes(stage, instance) == []
