"""Each rule of the protocol taken away is noticed in a short run made for it; with the rule all is well.

The campaign that hunts the same bugs under ordinary trouble is `python -m …campaigns.protocol --bugs`.
"""

import pytest

from shopify_xero_pipeline_tests.campaigns.protocol.planted import BUGS, Bug, directed, played

pytestmark = pytest.mark.campaign

SEEDS = 12


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.by_chance and bug.directed], ids=lambda bug: bug.name)
def test_a_rule_taken_away_is_noticed_and_with_it_all_is_well(bug: Bug) -> None:
    for seed in range(SEEDS):
        spec, own, wanted = directed(bug, seed)
        if played(bug, spec, own, wanted).problems:
            assert played(None, spec, own, wanted).problems == []
            return
    raise AssertionError(f"{bug.name}: not noticed in {SEEDS} runs")
