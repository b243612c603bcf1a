"""The sync service: the services that read, plan, load and reconcile days, over the connections of one run.

This module only composes the services. Each is a module of its own; together they are the only place where the rooms
meet. They are free of Dagster.
"""

from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.day_extractor import DayExtractor
from shopify_xero_pipeline.pipeline.day_loader import DayLoader
from shopify_xero_pipeline.pipeline.day_planner import DayPlanner
from shopify_xero_pipeline.pipeline.day_reconciler import DayReconciler
from shopify_xero_pipeline.pipeline.mirror_refresh import MirrorRefresh
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership
from shopify_xero_pipeline.pipeline.settings_review import SettingsReview
from shopify_xero_pipeline.pipeline.stored_reconciliations import StoredReconciliations


class SyncService:
    """The services of one run.

    Args:
        connections: the connections of the run; the caller closes them.

    Attributes:
        settings_review: reviews `books.yaml` and Xero's settings, and has the warnings of the run.
        record_ownership: assigns posted records to the days of their orders, and detects orphans.
        extractor: reads the customers, products and orders of days.
        planner: makes the change-sets.
        loader: writes the change-sets to Xero.
        reconciler: compares the three columns.
        reconciliations: the last reconciliation of each day, from the state store.
    """

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.settings_review = SettingsReview(connections)
        self.record_ownership = RecordOwnership(connections)
        self.extractor = DayExtractor(connections, self.record_ownership)
        mirror_refresh = MirrorRefresh(connections)
        self.planner = DayPlanner(connections, self.settings_review, mirror_refresh)
        self.loader = DayLoader(connections)
        self.reconciliations = StoredReconciliations(connections, self.record_ownership)
        self.reconciler = DayReconciler(connections, self.planner, mirror_refresh, self.record_ownership)
